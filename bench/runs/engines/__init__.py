"""Engines that run jobs: in one process per cell, in this process, or in Ray."""
