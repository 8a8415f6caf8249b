"""J&F as a torchmetrics metric, for validation inside a training loop."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from vosmem.errors import InputError
from vosmem.metrics.davis import ObjectScore


class JAndF(Metric):
    """Mean J and F over all objects of all sequences.

    Sums and a count are the only states, so that many processes reach the same means as one, even if one of them saw
    nothing.

    Args:
        **kwargs: Passed to `torchmetrics.Metric`.

    Example:
        >>> metric = JAndF()
        >>> metric.update([ObjectScore("bear", 1, np.ones(3), np.zeros(3))])
        >>> metric.compute()
        {'J&F': tensor(0.5000), 'J': tensor(1.), 'F': tensor(0.)}
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    j_sum: Tensor
    f_sum: Tensor
    num_objects: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # float32, since some accelerators know no float64.
        self.add_state("j_sum", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("f_sum", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("num_objects", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: Sequence[ObjectScore]) -> None:
        """Take in the objects of a sequence; those without an evaluated frame do not count."""
        for score in scores:
            if len(score.j):
                # Not in place: states made inside `torch.inference_mode` may not be changed outside of it.
                self.j_sum = self.j_sum + float(np.mean(score.j))
                self.f_sum = self.f_sum + float(np.mean(score.f))
                self.num_objects = self.num_objects + 1

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """Scalars in [0, 1] under "J&F", "J" and "F".

        Raises:
            InputError: No object has had an evaluated frame.
        """
        if self.num_objects == 0:
            raise InputError(
                "validation has nothing to score: give sequences of at least three frames with ground truth"
            )
        j, f = self.j_sum / self.num_objects, self.f_sum / self.num_objects
        return {"J&F": (j + f) / 2, "J": j, "F": f}
