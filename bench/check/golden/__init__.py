"""Golden numbers: short trainings and frozen results that must not change."""
