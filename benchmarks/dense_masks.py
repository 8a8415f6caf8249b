"""Measure how the cost of `vosmem segment` grows with frames and objects if every frame has a given mask.

    python -m benchmarks.dense_masks

Each case runs in a process of its own, with one thread and a tiny network: time per frame at 30 and at 90 frames with
10 objects (the ratio is near 1 if growth is linear), and the peak memory that the window statistics of a 4K frame add
with 2 and with 10 objects.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from vosmem.benchmark.machine import resident_mb
from vosmem.inference import Propagator
from vosmem.inference.propagation.window import Zoom, object_boxes
from vosmem.inputs.open import open_videos
from vosmem.memory.policy import EveryN
from vosmem.networks import STM
from vosmem.segmentation.frame_files import SegmentOptions
from vosmem.segmentation.video import segment_video

HEIGHT, WIDTH = 48, 80
HEIGHT_4K, WIDTH_4K = 2160, 3840
WIDTHS = {"key_channels": 4, "value_channels": 4, "decoder_channels": 4}


def striped(height: int, width: int, num_objects: int) -> np.ndarray:
    """A mask full of objects, in columns of equal width."""
    return np.broadcast_to((np.arange(width) * num_objects // width + 1).astype(np.uint8), (height, width))


def write_video(folder: Path, num_frames: int, num_objects: int) -> None:
    """Frames of noise, each with its mask."""
    rng = np.random.default_rng(0)
    for name in ("frames", "masks"):
        (folder / name).mkdir()
    mask = striped(HEIGHT, WIDTH, num_objects)
    for t in range(num_frames):
        frame = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(frame).save(folder / "frames" / f"{t:05d}.png")
        Image.fromarray(np.roll(mask, t, axis=1)).save(folder / "masks" / f"{t:05d}.png")


def segment(num_frames: int, num_objects: int) -> dict[str, float]:
    """Seconds per frame and peak memory of a run."""
    network = STM(backbone="resnet10", weights="none", **WIDTHS).eval()
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder, num_frames, num_objects)
        start = time.perf_counter()
        (found,) = open_videos(folder / "frames", folder / "masks")
        segment_video(
            found.open(),
            lambda: Propagator(network, EveryN(interval=5, max_frames=2), zoom=Zoom()),
            torch.device("cpu"),
            folder / "out",
            SegmentOptions(write=()),
            {},
            {},
        )
        seconds = time.perf_counter() - start
    return {"seconds_a_frame": seconds / num_frames, "peak_mb": resident_mb(peak=True)}


def window_statistics(num_frames: int, num_objects: int) -> dict[str, float]:
    """Seconds and added memory of the window statistics of 4K frames."""
    labels = torch.from_numpy(striped(HEIGHT_4K, WIDTH_4K, num_objects).copy())
    before, start = resident_mb(peak=True), time.perf_counter()
    for _ in range(num_frames):
        object_boxes(labels, num_objects)
    seconds = (time.perf_counter() - start) / num_frames
    return {"seconds_a_frame": seconds, "added_mb": resident_mb(peak=True) - before}


PARTS: dict[str, Callable[[int, int], dict[str, float]]] = {"segment": segment, "window_statistics": window_statistics}


def measured(part: str, num_frames: int, num_objects: int) -> dict[str, float]:
    """The figures of a case, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.dense_masks", "--part", part]
    command += ["--frames", str(num_frames), "--objects", str(num_objects)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def main() -> None:
    """Print a line for each case, and the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 90])
    parser.add_argument("--objects", type=int, nargs="+", default=[2, 10])
    options = parser.parse_args()
    if options.part is not None:
        torch.set_num_threads(1)
        print(json.dumps(PARTS[options.part](options.frames[0], options.objects[0])))
        return
    runs = {count: measured("segment", count, options.objects[-1]) for count in options.frames}
    looks = {count: measured("window_statistics", 3, count) for count in options.objects}
    for title, cases in (("frames", runs), ("objects in 4K", looks)):
        for count, figures in cases.items():
            print(f"{count} {title}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    first, last = runs[options.frames[0]], runs[options.frames[-1]]
    for name in first:
        print(f"{name}: ratio {last[name] / first[name]:.2f}")
    print(f"memory of the window statistics: {looks[options.objects[-1]]['added_mb']:.0f} MB at the most objects")


if __name__ == "__main__":
    main()
