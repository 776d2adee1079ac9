"""Prints text for people: the console, escaping, the terminal."""
