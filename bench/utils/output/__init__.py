"""Text for people: the console, escaping, the terminal."""
