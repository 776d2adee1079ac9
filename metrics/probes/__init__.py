"""Probes: classifiers that predict labels from a code, and how they are fitted and chosen."""
