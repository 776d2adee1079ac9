"""The documentation site: what it adds to the pages in docs/, and their tests."""
