"""Measure the clips a second of the loader, by number of worker processes and augmentation.

    python -m benchmarks.loader [KEY=VALUE ...]      (overrides of `vosmem train`; embedded images by default)

The numbers of workers take turns, several times, and medians are compared, so that a busy machine slows all alike.
"""

import os
import statistics
import sys
import time

import cv2
from hydra import compose, initialize_config_module
from hydra.utils import instantiate

from vosmem.data.sampling.clip_data import ClipData

WORKERS = (0, 1, 2)
NUM_REPEATS = 3
NUM_CLIPS = 48


def clips_per_second(data: ClipData) -> float:
    """Clips a second of one epoch, without the start of the workers."""
    batches = iter(data.train_dataloader())
    next(batches)
    start, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch.frames)
    return count / (time.perf_counter() - start)


def make(overrides: list[str], augmentation: str, num_workers: int) -> ClipData:
    """The data module of a training with these overrides."""
    config = compose(
        "train",
        overrides=[
            "paths.output_dir=unused", "datamodule=embedded", f"augmentation={augmentation}", "augmentation.size=256",
            f"datamodule.samples_per_epoch={NUM_CLIPS}", f"datamodule.num_workers={num_workers}", *overrides,
        ],
    )  # fmt: skip
    data: ClipData = instantiate(config.datamodule)
    return data


def main() -> None:
    """Print the median rate of each augmentation and number of workers, and its ratio to that without workers."""
    cv2.setNumThreads(1)  # as in a worker
    print(
        f"{os.cpu_count()} cores; clips of 3 frames of 256 x 256; medians of {NUM_REPEATS} epochs of {NUM_CLIPS} clips"
    )
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        for augmentation in ("paper", "rich"):
            sets = {count: make(sys.argv[1:], augmentation, count) for count in WORKERS}
            turns = [[clips_per_second(data) for data in sets.values()] for _ in range(NUM_REPEATS)]
            medians = [statistics.median(rates) for rates in zip(*turns, strict=True)]
            for count, rate in zip(WORKERS, medians, strict=True):
                print(f"{augmentation:<8} {count} workers  {rate:7.1f} clips/s  {rate / medians[0]:4.1f} x")


if __name__ == "__main__":
    main()
