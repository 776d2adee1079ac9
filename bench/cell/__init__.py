"""Runs one cell: trains a method, makes its artefacts and scores them."""
