"""Makes the artefacts of the anchors that need no training."""
