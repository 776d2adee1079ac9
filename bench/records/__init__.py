"""The results folder: reads, writes, checks, merges and cleans records."""
