"""One cell: train, make artefacts, score."""
