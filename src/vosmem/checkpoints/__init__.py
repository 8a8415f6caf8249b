"""Files of weights: checkpoints of runs and the published layout."""
