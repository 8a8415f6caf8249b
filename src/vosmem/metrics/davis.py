"""The DAVIS protocol's numbers: J and F per object and frame, their statistics, and the mean over objects.

Annotations reach these functions with void (255) already turned into background: the reader did it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer

from vosmem.errors import InputError
from vosmem.metrics.boundary import boundary_f
from vosmem.metrics.region import jaccard_by_object


class ObjectScore(NamedTuple):
    """J and F of one object of one sequence.

    Attributes:
        sequence: Name of the sequence.
        object_id: Id of the object in the sequence's labels.
        j: J in [0, 1] of each evaluated frame; there may be none.
        f: F in [0, 1] of each evaluated frame.
    """

    sequence: str
    object_id: int
    j: Float64[np.ndarray, "T"]
    f: Float64[np.ndarray, "T"]


class Statistics(NamedTuple):
    """What DAVIS reports of one object's J or F.

    Attributes:
        mean: Mean over the frames, in [0, 1].
        recall: Share of the frames above one half, in [0, 1].
        decay: Mean of the first quarter less mean of the last, in [-1, 1]; small is good.
    """

    mean: float
    recall: float
    decay: float


Labels = Integer[np.ndarray, "H W"]
FrameScores = tuple[Float64[np.ndarray, "K"], Float64[np.ndarray, "K"]]
FrameScorer = Callable[[Labels, Labels, Sequence[int]], FrameScores]  # as `score_frame`


def score_frame(
    true_labels: Integer[np.ndarray, "H W"],
    pred_labels: Integer[np.ndarray, "H W"],
    object_ids: Sequence[int],
) -> tuple[Float64[np.ndarray, "K"], Float64[np.ndarray, "K"]]:
    """J and F of each object of one frame.

    Args:
        true_labels: The annotated id of each pixel, void already background.
        pred_labels: The predicted id of each pixel.
        object_ids: The ids to score: any ints, in any order. Every other label is background.

    Returns:
        J and F in [0, 1], each in the order of `object_ids`.

    Example:
        >>> labels = np.array([[3, 3, 0], [3, 3, 0], [0, 0, 0]])
        >>> score_frame(labels, np.zeros_like(labels), [3])
        (array([0.]), array([0.]))
    """
    j = jaccard_by_object(true_labels, pred_labels, object_ids)
    f = [boundary_f(true_labels == i, pred_labels == i) for i in object_ids]
    return j, np.array(f, np.float64)


class SequenceScorer:
    """Scores one sequence frame by frame, so that a long video never sits in memory.

    DAVIS leaves the first and the last frame out: feed only the frames that are to be evaluated.

    Args:
        sequence: Name of the sequence.
        object_ids: The ids to score; DAVIS takes those of the first annotation.
        score: What scores a frame.

    Example:
        >>> scorer = SequenceScorer("bear", [1])
        >>> scorer.update(np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8))
        >>> scorer.result()
        [ObjectScore(sequence='bear', object_id=1, j=array([1.]), f=array([1.]))]
    """

    def __init__(self, sequence: str, object_ids: Sequence[int], score: FrameScorer = score_frame) -> None:
        self.sequence = sequence
        self.object_ids = tuple(int(i) for i in object_ids)
        self._score = score
        self._values: dict[int, list[tuple[float, float]]] = {i: [] for i in self.object_ids}

    def update(
        self,
        true_labels: Integer[np.ndarray, "H W"],
        pred_labels: Integer[np.ndarray, "H_pred W_pred"],
        among: Sequence[int] | None = None,
    ) -> None:
        """Score the next frame.

        Args:
            true_labels: The annotated id of each pixel, void already background.
            pred_labels: The predicted id of each pixel, of the same size.
            among: The ids for which the frame counts; all by default.

        Raises:
            InputError: The two differ in size.
        """
        if true_labels.shape != pred_labels.shape:
            true_size, pred_size = ("x".join(map(str, a.shape)) for a in (true_labels, pred_labels))
            raise InputError(
                f"sequence {self.sequence!r}: the prediction is {pred_size} (height x width) but the "
                f"annotation is {true_size}; save predictions at the annotation's size"
            )
        among = self.object_ids if among is None else among
        j, f = self._score(true_labels, pred_labels, among)
        for place, object_id in enumerate(among):
            self._values[object_id].append((float(j[place]), float(f[place])))

    def result(self) -> list[ObjectScore]:
        """The scores of the frames so far, one entry per object in the order of `object_ids`."""
        by_object = ((i, np.array(values, np.float64).reshape(-1, 2)) for i, values in self._values.items())
        return [ObjectScore(self.sequence, i, *values.T) for i, values in by_object]


def statistics(values: Float64[np.ndarray, "T"]) -> Statistics:
    """Mean, recall and decay of one object's J or F.

    Neighbouring quarters share their end frame, as in the official code; unlike there, this is right for any
    number of frames. The decay of one frame is 0, of two the first less the second, of three the mean of the
    first two less the third.

    Args:
        values: J or F in [0, 1] of at least one frame.

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
    """The table's row: means over all objects of all sequences, each object counting once.

    Args:
        scores: The objects of every sequence. Those without an evaluated frame are left out.

    Returns:
        Fractions (not percent) under "J&F", "J", "F", "J_recall", "J_decay", "F_recall", "F_decay", and under
        "num_objects" the number of objects in the means.

    Raises:
        InputError: No object has an evaluated frame.

    Source:
        Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation, section 3.

    Example:
        >>> ones, zeros = np.ones(5), np.zeros(5)
        >>> summarize([ObjectScore("dogs", 1, ones, ones), ObjectScore("dogs", 2, zeros, ones)])["J&F"]
        0.75
    """
    scored = [score for score in scores if len(score.j)]
    if not scored:
        raise InputError("no object has an evaluated frame: give sequences of three or more frames that begin with one")
    j = Statistics(*np.mean([statistics(score.j) for score in scored], axis=0).tolist())
    f = Statistics(*np.mean([statistics(score.f) for score in scored], axis=0).tolist())
    return {
        "J&F": (j.mean + f.mean) / 2,
        "J": j.mean,
        "F": f.mean,
        "J_recall": j.recall,
        "J_decay": j.decay,
        "F_recall": f.recall,
        "F_decay": f.decay,
        "num_objects": len(scored),
    }
