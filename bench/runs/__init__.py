"""Carries out a plan: runs cells, scores again, shows progress."""
