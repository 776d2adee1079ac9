"""The user's image files: how they are found, decoded and split into parts."""
