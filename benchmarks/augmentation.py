"""Time the augmentation of a clip on one core, next to the same transforms chained by albumentations.

    python -m benchmarks.augmentation [--repeats 9]

A clip is three draws of a 480p photograph with its mask, 854 x 480 to 384 x 384: affine map, crop and colours, with
the ranges of `augmentation=paper`. The plain chain warps the whole photograph, then crops, and returns normalised
floats; ours warps only the crop and returns bytes, which the device normalises. Both take turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import albumentations as A
import cv2
import numpy as np

from vosmem.data.clips.transforms import IMAGENET_MEAN_BYTES, CropAffine

SIZE, CLIPS = 384, 20
RANGES: dict[str, Any] = {"scale": (0.9, 1.1), "rotate": (-20, 20)}
SHEAR = (-10, 10)
COLOURS: dict[str, Any] = {"brightness": 0.1, "contrast": 0.05, "saturation": 0.05, "hue": 0.0, "p": 1.0}


def plain_chains() -> dict[str, A.Compose]:
    """The plain chain, from the warp only to the output of a plain loader."""
    warp = [
        A.Affine(
            **RANGES, shear={"x": SHEAR, "y": SHEAR}, keep_ratio=True, fill=IMAGENET_MEAN_BYTES,
            mask_interpolation=cv2.INTER_NEAREST, p=1.0,
        ),
        A.RandomCrop(SIZE, SIZE),
    ]  # fmt: skip
    coloured = [*warp, A.ColorJitter(**COLOURS)]
    return {"warp": A.Compose(warp), "colours": A.Compose(coloured), "whole": A.Compose([*coloured, A.Normalize()])}


def own_chains() -> dict[str, A.Compose]:
    """Our chain with the same steps, except for the normalisation."""
    warp = CropAffine(SIZE, **RANGES, shear=SHEAR)
    coloured = A.Compose([warp, A.ColorJitter(**COLOURS)])
    return {"warp": A.Compose([warp]), "colours": coloured, "whole": coloured}


def milliseconds(make: Callable[..., Any], image: np.ndarray, mask: np.ndarray) -> float:
    """Seconds of a clip."""
    start = time.perf_counter()
    for _ in range(3 * CLIPS):
        make(image=image, mask=mask)
    return 1000 * (time.perf_counter() - start) / CLIPS


def main() -> None:
    """Print medians and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as in a loader's worker
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (60, 107, 3), np.uint8), (854, 480), interpolation=cv2.INTER_CUBIC)
    mask = (image[..., 0] > 128).astype(np.uint8)
    for steps, plain in plain_chains().items():
        own = own_chains()[steps]
        turns = [(milliseconds(plain, image, mask), milliseconds(own, image, mask)) for _ in range(options.repeats)]
        medians = [statistics.median(column) for column in zip(*turns, strict=True)]
        ratio = statistics.median(theirs / ours for theirs, ours in turns)
        print(f"{steps:<8} plain {medians[0]:6.2f} ms a clip, ours {medians[1]:6.2f} ms: {ratio:.2f} x")


if __name__ == "__main__":
    main()
