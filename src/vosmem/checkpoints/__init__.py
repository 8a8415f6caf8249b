"""Files of weights: checkpoints of runs, weights files, the published layout, and what comes with the package."""
