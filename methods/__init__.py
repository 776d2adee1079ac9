"""The methods: one file each, found by the class attribute `name` (see `bench.contracts.method.Method`)."""
