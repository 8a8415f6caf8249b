"""Mean scores as a torchmetrics metric, for validation inside a training loop."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from vosmem.errors import InputError
from vosmem.metrics.davis import ObjectScore
from vosmem.metrics.registry import METRICS, with_averages


class MeanScores(Metric):
    """Mean of every metric over all objects of all sequences.

    The states are only sums and a count, so that several processes reach the same means as one, even if one of them had
    no sequence.

    Args:
        **kwargs: Passed to `torchmetrics.Metric`.

    Example:
        >>> import numpy as np
        >>> metric = MeanScores()
        >>> metric.update([ObjectScore("bear", 1, {"J": np.ones(3), "F": np.zeros(3)})])
        >>> metric.compute()
        {'J&F': tensor(0.5000), 'J': tensor(1.), 'F': tensor(0.)}
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    sums: Float[Tensor, "metrics"]
    num_objects: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # float32, since some accelerators have no float64.
        self.add_state("sums", torch.zeros(len(METRICS)), dist_reduce_fx="sum")
        self.add_state("num_objects", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: Sequence[ObjectScore]) -> None:
        """Add the objects of a sequence; those without an evaluated frame do not count."""
        for score in scores:
            if score.num_frames:
                means = [float(score.values[name].mean()) for name in METRICS]
                # Not in place: states made inside `torch.inference_mode` cannot be changed outside of it.
                self.sums = self.sums + self.sums.new_tensor(means)  # of one type in all processes
                self.num_objects = self.num_objects + 1

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """Scalars in [0, 1] under "J&F" and the name of each metric.

        Raises:
            InputError: No object has had an evaluated frame.
        """
        if self.num_objects == 0:
            raise InputError(
                "validation has nothing to score: give sequences of at least three frames with ground truth"
            )
        means = dict(zip(METRICS, self.sums / self.num_objects, strict=True))
        return with_averages(means)
