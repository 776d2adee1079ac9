"""Trained methods outside a run: loads them for pictures of a user."""
