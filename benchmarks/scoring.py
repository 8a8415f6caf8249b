"""Time J and F, next to their computation on whole frames: 80 frames of 480p with 3 objects.

    python -m benchmarks.scoring

They run in turn, several times, and the medians are compared, so that a busy machine slows both alike. Both
use one thread, and their scores are checked to be identical.
"""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from tests.golden_video import video
from tests.metrics import reference
from vosmem.metrics import SequenceScorer

NUM_FRAMES, HEIGHT, WIDTH, NUM_OBJECTS = 80, 480, 854, 3
NUM_REPEATS = 7


def fast_scores(true_labels: np.ndarray, pred_labels: np.ndarray) -> np.ndarray:
    """J and F (T, 2, K) by the package."""
    scorer = SequenceScorer("benchmark", range(1, NUM_OBJECTS + 1))
    for true, pred in zip(true_labels, pred_labels, strict=True):
        scorer.update(true, pred)
    return np.array([list(score.values.values()) for score in scorer.result()]).transpose(2, 1, 0)


def whole_frame_scores(true_labels: np.ndarray, pred_labels: np.ndarray) -> np.ndarray:
    """J and F (T, 2, K) by the reference of the tests."""
    return np.array(list(reference.score_video(true_labels, pred_labels, NUM_OBJECTS)))


def seconds(score: Callable[[np.ndarray, np.ndarray], np.ndarray], true: np.ndarray, pred: np.ndarray) -> float:
    """Wall-clock time of one run."""
    start = time.perf_counter()
    score(true, pred)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and their ratio."""
    cv2.setNumThreads(1)
    true = np.concatenate([video(1, HEIGHT, WIDTH, NUM_OBJECTS)[1]] * NUM_FRAMES)
    pred = np.stack([np.roll(labels, (t // 8, -(t // 4)), axis=(0, 1)) for t, labels in enumerate(true)])
    if not np.array_equal(fast_scores(true, pred), whole_frame_scores(true, pred)):
        raise SystemExit("the two scorers disagree")
    runs = [(seconds(whole_frame_scores, true, pred), seconds(fast_scores, true, pred)) for _ in range(NUM_REPEATS)]
    slow, fast = (statistics.median(times) for times in zip(*runs, strict=True))
    print(f"{NUM_FRAMES} frames of {WIDTH}x{HEIGHT}, {NUM_OBJECTS} objects; medians of {NUM_REPEATS} runs")
    print(f"whole frames {slow:.3f} s, vosmem {fast:.3f} s: {slow / fast:.1f} times faster")


if __name__ == "__main__":
    main()
