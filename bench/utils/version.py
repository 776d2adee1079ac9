"""The version of the suite, in its own module to avoid circular imports."""

__version__ = "0.1.0"
