"""The metrics: one file for each family (see `bench.contracts.metric.Metric`)."""
