"""Defines what a task, a method, a metric, a cell and a record are."""
