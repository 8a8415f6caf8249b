"""The DAVIS protocol: metrics per object and frame, their statistics, and the mean over objects.

Annotations reach these functions with void (255) already turned into background by their reader.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer

from vosmem.errors import InputError
from vosmem.metrics.registry import METRICS, FrameMetric, with_averages


class ObjectScore(NamedTuple):
    """The metrics of one object of one sequence.

    Attributes:
        sequence: Name of the sequence.
        object_id: Id of the object in the labels.
        values: By metric, the value in [0, 1] of each evaluated frame, of which there may be none.
    """

    sequence: str
    object_id: int
    values: dict[str, Float64[np.ndarray, "T"]]

    @property
    def num_frames(self) -> int:
        """Number of evaluated frames."""
        return len(next(iter(self.values.values())))


class Statistics(NamedTuple):
    """Statistics that DAVIS reports of one object's J or F.

    Attributes:
        mean: Mean over the frames, in [0, 1].
        recall: Share of the frames above one half, in [0, 1].
        decay: Mean of the first quarter less mean of the last, in [-1, 1]; small is good.
    """

    mean: float
    recall: float
    decay: float


def score_frame(
    true_labels: Integer[np.ndarray, "H W"],
    pred_labels: Integer[np.ndarray, "H W"],
    object_ids: Sequence[int],
    metrics: Mapping[str, FrameMetric] = METRICS,
) -> dict[str, Float64[np.ndarray, "K"]]:
    """Every metric of each object of one frame, by name; arguments and values as of `jaccard_by_object`.

    Example:
        >>> labels = np.array([[3, 3, 0], [3, 3, 0], [0, 0, 0]])
        >>> score_frame(labels, np.zeros_like(labels), [3])
        {'J': array([0.]), 'F': array([0.])}
    """
    return {name: metric(true_labels, pred_labels, object_ids) for name, metric in metrics.items()}


class SequenceScorer:
    """Scores one sequence frame by frame, so that a long video is never in memory as a whole.

    DAVIS leaves the first and the last frame out: pass only the frames that are to be evaluated. It scores the ids of
    the first annotation.

    Example:
        >>> scorer = SequenceScorer("bear", [1])
        >>> scorer.update(np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8))
        >>> scorer.result()
        [ObjectScore(sequence='bear', object_id=1, values={'J': array([1.]), 'F': array([1.])})]
    """

    def __init__(self, sequence: str, object_ids: Sequence[int], metrics: Mapping[str, FrameMetric] = METRICS) -> None:
        self.sequence, self.metrics = sequence, metrics
        self.object_ids = tuple(int(i) for i in object_ids)
        self._values: dict[int, dict[str, list[float]]] = {i: {name: [] for name in metrics} for i in self.object_ids}

    def update(
        self,
        true_labels: Integer[np.ndarray, "H W"],
        pred_labels: Integer[np.ndarray, "H_pred W_pred"],
        among: Sequence[int] | None = None,
    ) -> None:
        """Score the next frame for the ids `among`, by default all.

        Raises:
            InputError: Annotation and prediction differ in size.
        """
        if true_labels.shape != pred_labels.shape:
            true_size, pred_size = ("x".join(map(str, a.shape)) for a in (true_labels, pred_labels))
            raise InputError(
                f"sequence {self.sequence!r}: the prediction is {pred_size} (height x width) but the "
                f"annotation is {true_size}; save predictions at the annotation's size"
            )
        among = self.object_ids if among is None else among
        for name, values in score_frame(true_labels, pred_labels, among, self.metrics).items():
            for object_id, value in zip(among, values.tolist(), strict=True):
                self._values[object_id][name].append(value)

    def result(self) -> list[ObjectScore]:
        """The scores of the frames so far, one entry per object in the order of `object_ids`."""
        return [
            ObjectScore(self.sequence, i, {name: np.array(own, np.float64) for name, own in values.items()})
            for i, values in self._values.items()
        ]


def statistics(values: Float64[np.ndarray, "T"]) -> Statistics:
    """Mean, recall and decay of one object's J or F.

    Neighbouring quarters share their end frame, as in the official code; unlike the official code, the decay is right
    for any number of frames. The decay of one frame is 0, of two the first less the second, of three the mean of the
    first two less the third.

    Raises:
        ValueError: There is no frame.

    Source:
        davis2017-evaluation, `db_statistics`.

    Example:
        >>> statistics(np.array([1.0, 0.75, 0.5, 0.25]))
        Statistics(mean=0.625, recall=0.5, decay=0.5)
    """
    n = len(values)
    if n == 0:
        raise ValueError("statistics of no frame are undefined: give at least one value")
    # The official edges round(linspace(1, n, 5)) - 1, halves rounded up, in exact integers.
    first_end, last_start = (n + 1) // 4, (3 * n - 1) // 4
    decay = values[: first_end + 1].mean() - values[last_start:].mean()
    return Statistics(float(values.mean()), float((values > 0.5).mean()), float(decay))


def summarize(scores: Sequence[ObjectScore]) -> dict[str, float]:
    """Means over all objects of all sequences that have an evaluated frame, each object counting once.

    Returns:
        Fractions (not percent) under "J&F" and the name of each metric, then "J_recall", "J_decay", "F_recall" and so
        on, and under "num_objects" the number of objects in the means.

    Raises:
        InputError: No object has an evaluated frame.

    Source:
        Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation, section 3.

    Example:
        >>> ones, zeros = np.ones(5), np.zeros(5)
        >>> summarize([ObjectScore("dogs", k, {"J": j, "F": ones}) for k, j in ((1, ones), (2, zeros))])["J&F"]
        0.75
    """
    scored = [score for score in scores if score.num_frames]
    if not scored:
        raise InputError("no object has an evaluated frame: give sequences of three or more frames that begin with one")
    means = {
        name: Statistics(*np.mean([statistics(score.values[name]) for score in scored], axis=0).tolist())
        for name in scored[0].values
    }
    spread = {f"{name}_{field}": getattr(own, field) for name, own in means.items() for field in ("recall", "decay")}
    return {**with_averages({name: own.mean for name, own in means.items()}), **spread, "num_objects": len(scored)}
