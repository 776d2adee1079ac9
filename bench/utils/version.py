"""The version of the suite. Rooms take it from here, as the package itself imports all of them."""

__version__ = "0.1.0"
