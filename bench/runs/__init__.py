"""Carries out a plan: runs cells, scores them again, and shows progress."""
