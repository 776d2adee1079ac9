"""Helpers that know nothing of the suite."""
