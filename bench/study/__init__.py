"""Answers questions that take many cells: tuning, the claims of the field, probe curves."""
