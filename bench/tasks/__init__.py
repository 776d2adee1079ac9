"""The tasks: found by the class attribute `name` (see `bench.contracts.task.Task`)."""
