"""J&F as a torchmetrics metric, for validation inside a training loop."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torchmetrics import Metric

from vosmem.errors import InputError
from vosmem.metrics.davis import SequenceScorer


class JAndF(Metric):
    """Mean J and F over all objects of all sequences, each update being one whole sequence.

    The first frame is left out, since its mask is given. Sums and a count are the only states, so that many
    processes reach the same means as one, even if one of them saw nothing. The labels may be on any device;
    the scoring itself runs on the CPU.

    Args:
        exclude_last: Leave the last frame out too, as DAVIS does.
        **kwargs: Passed to `torchmetrics.Metric`.

    Example:
        >>> metric = JAndF()
        >>> labels = torch.eye(8, dtype=torch.int64).expand(5, 8, 8)
        >>> metric.update(labels, labels, object_ids=1)
        >>> metric.compute()
        {'J&F': tensor(1.), 'J': tensor(1.), 'F': tensor(1.)}
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    j_sum: Tensor
    f_sum: Tensor
    num_objects: Tensor

    def __init__(self, exclude_last: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exclude_last = exclude_last
        # float32, since some accelerators know no float64.
        self.add_state("j_sum", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("f_sum", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("num_objects", torch.tensor(0), dist_reduce_fx="sum")

    def update(
        self,
        true_labels: Integer[Tensor, "T H W"],
        pred_labels: Integer[Tensor, "T_pred H_pred W_pred"],
        object_ids: Sequence[int] | int,
        sequence: str = "",
        exclude_last: bool | None = None,
    ) -> None:
        """Score one whole sequence, its first frame included.

        Args:
            true_labels: The annotated id of each pixel, void already background.
            pred_labels: The predicted id of each pixel, of the same length and size.
            object_ids: The ids to score, or their number K for the ids 1 to K.
            sequence: Name of the sequence for error messages.
            exclude_last: For this sequence, instead of the metric's own choice.

        Raises:
            InputError: The two differ in length or size.
        """
        if len(true_labels) != len(pred_labels):
            raise InputError(
                f"sequence {sequence!r}: {len(pred_labels)} predicted but {len(true_labels)} annotated frames"
                "; predict every frame"
            )
        ids = range(1, object_ids + 1) if isinstance(object_ids, int) else object_ids
        exclude_last = self.exclude_last if exclude_last is None else exclude_last
        evaluated = slice(1, -1 if exclude_last else None)
        scorer = SequenceScorer(sequence, ids)
        for true, pred in zip(true_labels[evaluated], pred_labels[evaluated], strict=True):
            scorer.update(true.cpu().numpy(), pred.cpu().numpy())
        for score in scorer.result():
            if len(score.j):
                # Not in place: states made inside `torch.inference_mode` may not be changed outside of it.
                self.j_sum = self.j_sum + float(score.j.mean())
                self.f_sum = self.f_sum + float(score.f.mean())
                self.num_objects = self.num_objects + 1

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """Scalars in [0, 1] under "J&F", "J" and "F".

        Raises:
            InputError: No object has had an evaluated frame.
        """
        if self.num_objects == 0:
            raise InputError("JAndF has nothing to score: update it with sequences of at least three frames")
        j, f = self.j_sum / self.num_objects, self.f_sum / self.num_objects
        return {"J&F": (j + f) / 2, "J": j, "F": f}
