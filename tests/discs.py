"""A picture of two objects that are easy to cut out."""

import numpy as np


def two_discs() -> tuple[np.ndarray, list[np.ndarray]]:
    """Make a picture of two red discs on noisy green, and the mask of each disc."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :140]
    discs = [(y - 40) ** 2 + (x - centre) ** 2 < 18**2 for centre in (40, 100)]
    colours = np.where((discs[0] | discs[1])[..., None], (200, 40, 30), (40, 120, 60))
    return (colours + rng.integers(-9, 10, (80, 140, 3))).astype(np.uint8), discs


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the intersection over union of two masks."""
    return (one & other).sum() / (one | other).sum()
