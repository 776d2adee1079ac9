"""The methods: one file each (see `bench.contracts.method.Method`)."""
