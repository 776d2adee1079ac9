"""The user's image files: finding, decoding and splitting them."""
