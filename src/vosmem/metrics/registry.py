"""The metrics that every score reports, by name."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Integer

from vosmem.metrics.boundary import boundary_f_by_object
from vosmem.metrics.region import jaccard_by_object

Labels = Integer[np.ndarray, "H W"]
# From the annotated ids, the predicted ids and the ids to score: one value in [0, 1] for each id, 1 being perfect.
FrameMetric = Callable[[Labels, Labels, Sequence[int]], Float64[np.ndarray, "K"]]

METRICS: dict[str, FrameMetric] = {
    "J": jaccard_by_object,
    "F": boundary_f_by_object,
}
AVERAGES = {"J&F": ("J", "F")}  # scores that are the mean of metrics


def score_names() -> tuple[str, ...]:
    """Names of all scores: the averages, then the metrics."""
    return (*AVERAGES, *METRICS)


def with_averages(means: dict[str, Any]) -> dict[str, Any]:
    """The means of the metrics (numbers or scalars of torch), after those of `AVERAGES`.

    Example:
        >>> with_averages({"J": 0.5, "F": 1.0})
        {'J&F': 0.75, 'J': 0.5, 'F': 1.0}
    """
    return {**{name: sum(means[part] for part in parts) / len(parts) for name, parts in AVERAGES.items()}, **means}
