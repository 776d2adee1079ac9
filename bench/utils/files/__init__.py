"""Reads and writes files; finds folders and free disk space."""
