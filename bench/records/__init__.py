"""The results folder: records, their form, merging and cleaning."""
