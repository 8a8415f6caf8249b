"""Score folders of masks, next to vos-benchmark 0.1.0 (pip install --no-deps vos-benchmark).

    python -m benchmarks.peer_scoring GT_DIR PRED_DIR [--num-workers N]

Both read the same palette PNGs of ids with as many workers (processes there, threads here), in turn, several times;
medians are compared, and every object's J and F: both follow the same protocol where no id is 255.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vos_benchmark.benchmark import benchmark

from vosmem.evaluation.scorers import score_folders

NUM_REPEATS = 3
Scores = dict[tuple[str, int], tuple[float, float]]  # percent J and F by sequence and object


def ours(truth: Path, predictions: Path, num_workers: int) -> Scores:
    """Scores by this package."""
    scores = score_folders(truth, predictions, num_workers=0 if num_workers == 1 else num_workers)
    return {(s.sequence, s.object_id): tuple(100 * s.values[name].mean() for name in ("J", "F")) for s in scores}


def theirs(truth: Path, predictions: Path, num_workers: int) -> Scores:
    """Scores by vos-benchmark."""
    *_, (by_sequence,) = benchmark([str(truth)], [str(predictions)], num_processes=num_workers, verbose=False)
    return {(name, int(i)): (float(j[i]), float(f[i])) for name, (j, f) in by_sequence.items() for i in j}


def timed(score: Callable[[Path, Path, int], Scores], *arguments: Any) -> tuple[float, Scores]:
    """Seconds and result of a call."""
    start = time.perf_counter()
    scores = score(*arguments)
    return time.perf_counter() - start, scores


def main() -> None:
    """Print medians, their ratio, and the largest difference."""
    parser = argparse.ArgumentParser()
    parser.add_argument("truth", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--num-workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # the peer writes into the predictions
        predictions = Path(folder) / "predictions"
        shutil.copytree(options.predictions, predictions)
        arguments = options.truth, predictions, options.num_workers
        runs = [(timed(theirs, *arguments), timed(ours, *arguments)) for _ in range(NUM_REPEATS)]
    peer, own = (statistics.median(seconds for seconds, _ in column) for column in zip(*runs, strict=True))
    (_, expected), (_, found) = runs[0]
    difference = max(abs(a - b) for key in expected for a, b in zip(expected[key], found[key], strict=True))
    print(f"{len(expected)} objects, {options.num_workers} workers, medians of {NUM_REPEATS} runs")
    print(f"vos-benchmark {peer:.2f} s, vosmem {own:.2f} s: {own / peer:.2f} of its time")
    print(f"largest difference of J or F: {difference:.1e} percent points")


if __name__ == "__main__":
    main()
