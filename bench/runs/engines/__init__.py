"""Engines that run jobs: one process a cell, this process, or Ray."""
