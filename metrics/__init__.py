"""The metrics: one file a family, found by the class attribute `name` (see `bench.contracts.task`)."""
