"""The tasks. The registry finds each by its class attribute `name` (see `Task`)."""
