"""The report: one HTML page made from records, and figures for papers."""
