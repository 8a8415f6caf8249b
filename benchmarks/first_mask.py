"""Score first masks from boxes and clicks: mean J with the true masks of a data set in DAVIS layout, or of images.

    python -m benchmarks.first_mask DAVIS_OR_IMAGES [--count N] [--held-out N] [--weights FILE]

The network is the bundled one for first masks, or that of `--weights`.

DAVIS has JPEGImages/480p and Annotations/480p, whose first frames are used. IMAGES has images/ and masks/, of which
`--held-out N` takes every N-th, as training does for validation, and `--count N` at most N, evenly spaced. All objects
of a mask are one object, or with `--largest` the largest is.

The tight box of the true mask, that box enlarged by 10 %, and clicks: each click is in the centre of the largest error
region of the mask so far (the pixel furthest from the region's edge), on the object or off it as the truth says.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from vosmem.checkpoints.loading import load_network
from vosmem.data.decoding.images import read_image
from vosmem.data.decoding.mask_files import read_mask
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts.first_mask import CUTS, FirstMask, make_first_mask
from vosmem.inputs.prompts import make_prompts
from vosmem.metrics.region import jaccard

CLICKS = (1, 3, 5)


class Result(NamedTuple):
    j: float
    quality: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--held-out", type=int, default=1)
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--weights")
    parser.add_argument("--cut", nargs="+", default=CUTS)
    options = parser.parse_args()
    engine = Engine(torch.device("cpu"))
    network = None if options.weights is None else engine.ready(load_network(options.weights))
    results: dict[tuple[str, str], list[Result]] = {}
    for name, frame, true in samples(options.root, options.held_out, options.count, options.largest):
        for cut in options.cut:

            def make(boxes=None, points=None, labels=None, cut=cut, frame=frame) -> FirstMask:
                return make_first_mask(frame, make_prompts(boxes, points, labels), engine, cut, network)

            for prompt, result in all_prompts(make, true):
                results.setdefault((prompt, cut), []).append(result)
        print(name, *(f"{100 * own[-1].j:.1f}" for own in results.values()), flush=True)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; mean J, J where the quality is low and not, s"
    )
    for (prompt, cut), own in results.items():
        low = [one.j for one in own if one.quality < 0.7]
        high = [one.j for one in own if one.quality >= 0.7]
        shown = [f"{100 * np.mean(js):.1f} ({len(js)})" if js else "none" for js in (low, high)]
        print(f"{prompt:10} {cut:8} {100 * np.mean([one.j for one in own]):5.1f}  {', '.join(shown)}  ", end="")
        print(f"{np.median([one.seconds for one in own]):.2f}")


def samples(root: Path, held_out: int, count: int, largest: bool) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, frame and true mask."""
    if (root / "Annotations").is_dir():
        masks = [sorted(folder.iterdir())[0] for folder in sorted((root / "Annotations" / "480p").iterdir())]
        frames = [root / "JPEGImages" / "480p" / path.parent.name / f"{path.stem}.jpg" for path in masks]
    else:
        frames = sorted((root / "images").iterdir())[::held_out]
        masks = [root / "masks" / f"{path.stem}.png" for path in frames]
    chosen = np.linspace(0, len(frames) - 1, min(count, len(frames))).astype(int)
    for index in chosen:
        ids = read_mask(masks[index], max_objects=None).ids
        numbers = np.bincount(ids.ravel())[1:]
        true = ids == 1 + numbers.argmax() if largest else ids > 0
        if true.any():
            yield frames[index].stem, read_image(frames[index]), true


def all_prompts(make: Callable[..., FirstMask], true: np.ndarray) -> Iterator[tuple[str, Result]]:
    """Yield each prompt's name and result."""
    for share, name in ((0.0, "box"), (0.1, "box + 10 %")):
        yield name, scored(lambda share=share: make(boxes=[box_around(true, share)]), true)[0]
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    found = np.zeros_like(true)
    for number in range(1, max(CLICKS) + 1):
        if not np.array_equal(found, true):
            point, label = next_click(true, found)
            points.append(point)
            labels.append(label)
        result, found = scored(lambda: make(points=[points], labels=[labels]), true)
        if number in CLICKS:
            yield f"{number} click{'s' if number > 1 else ''}", result


def scored(make: Callable[[], FirstMask], true: np.ndarray) -> tuple[Result, np.ndarray]:
    start = time.perf_counter()
    try:
        made = make()
    except InputError:  # nothing is found, or the box is the whole frame
        return Result(0.0, 0.0, time.perf_counter() - start), np.zeros_like(true)
    found = made.ids > 0
    return Result(jaccard(true, found), made.quality[0], time.perf_counter() - start), found


def box_around(true: np.ndarray, share: float) -> Sequence[int]:
    """The box of a mask, enlarged by a share of its sides."""
    rows, columns = np.nonzero(true)
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    down, across = round(share / 2 * (bottom - top)), round(share / 2 * (right - left))
    height, width = true.shape
    box = max(0, left - across), max(0, top - down), min(width, right + across), min(height, bottom + down)
    return [int(value) for value in box]


def next_click(true: np.ndarray, found: np.ndarray) -> tuple[tuple[float, float], int]:
    """The centre of the largest error region, and whether it is on the object."""
    regions = []
    for label, errors in ((1, true & ~found), (0, found & ~true)):
        count, components, statistics, _ = cv2.connectedComponentsWithStats(errors.astype(np.uint8), connectivity=4)
        regions += [(int(statistics[k, cv2.CC_STAT_AREA]), label, components == k) for k in range(1, count)]
    _, label, region = max(regions, key=lambda own: own[0])
    depth = cv2.distanceTransform(np.pad(region.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return (float(x), float(y)), label


if __name__ == "__main__":
    main()
