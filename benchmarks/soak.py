"""Run thousands of frames, to see whether a process grows or slows down.

    OMP_NUM_THREADS=1 python -m benchmarks.soak OUT [--frames 10000] [--size 192 320] [--objects 2] [--period 100]
        [--model stm_small] [--modes propagator segment] [KEY=VALUE ...]

Two modes, each in its own process: `propagator` steps frame by frame, and `segment` is all of `vosmem segment`, from a
folder of images to masks, overlay video and tables. Keys are those of `vosmem evaluate`, for the first mode. A mode
with a complete table is not run again; an interrupted one starts again. OUT gets `MODE.csv` (every frame), `soak.png`
and `soak.md`: slopes over all frames except the first tenth, with twice their standard error, which is computed from
means of blocks since neighbouring frames are correlated.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
import torch
from benchmarks.long_video import COLUMNS, WINDOW, measured, video
from matplotlib.figure import Figure
from PIL import Image

from vosmem.benchmark.machine import describe, resident_mb
from vosmem.commands.common import compose, make
from vosmem.files import replacing, write_text

matplotlib.use("agg")
MODES = ("propagator", "segment")
BLOCKS = 30
FIGURES = {"ms": "time of a frame, ms", "resident_mb": "resident size, MB"}


class Slope(NamedTuple):
    """A fitted line.

    Attributes:
        level: value in the middle.
        per_thousand: rise per thousand frames.
        error: twice the standard error of the rise.
    """

    level: float
    per_thousand: float
    error: float


def main() -> None:
    """Run the missing modes, and write plot and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, nargs=2, default=(192, 320), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--period", type=int, default=100)
    parser.add_argument("--model", default="stm_small")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        segment(options)
        return
    tables = {}
    for mode in options.modes:
        path = options.out / f"{mode}.csv"
        if not path.is_file() or len(pd.read_csv(path)) != options.frames:
            keys = [f"model={options.model}", "memory.max_frames=20", *options.keys]
            table = measured(options, keys) if mode == "propagator" else measured_segment(options)
            with replacing(path) as partial:
                table.to_csv(partial, index=False)
        tables[mode] = pd.read_csv(path)
    draw(tables, options.out / "soak.png")
    print(write_text(options.out / "soak.md", page(tables, options)).read_text())


def measured_segment(options: argparse.Namespace) -> pd.DataFrame:
    """Measure `vosmem segment` in a process of its own, on frames that are links to those of one period."""
    folder = options.out / "work"
    write_input(options, folder)
    flags = ["--frames", options.frames, "--size", *options.size, "--objects", options.objects, "--worker"]
    command = [sys.executable, "-m", "benchmarks.soak", str(options.out), *map(str, flags), "--model", options.model]
    subprocess.run(command, check=True)
    return pd.read_csv(folder / "frames.csv")


def write_input(options: argparse.Namespace, folder: Path) -> None:
    """Write a rendered video played forwards and backwards, its first mask, and random weights."""
    sequence = video(options)
    for name in ("frames", "period"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for t in range(options.period):
        Image.fromarray(sequence.frame(t).permute(1, 2, 0).numpy()).save(folder / "period" / f"{t}.jpg", quality=95)
    for t in range(options.frames):
        index = t % (2 * options.period)
        index = index if index < options.period else 2 * options.period - 1 - index
        link = folder / "frames" / f"{t:06d}.jpg"
        link.unlink(missing_ok=True)
        os.link(folder / "period" / f"{index}.jpg", link)
    Image.fromarray(sequence.labels(0).numpy()).save(folder / "mask.png")
    torch.manual_seed(0)
    model = compose("train", f"model={options.model}", "model.weights=none").model
    network = make(model)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    plain = {"model": dict(model)}
    torch.save({"config": plain, "state_dict": state}, folder / "network.ckpt")


def segment(options: argparse.Namespace) -> None:
    """Run the command, and write a row for every frame that it reports."""
    from vosmem.cli.segment import make_parser
    from vosmem.commands.segmentation import segment as segment_all

    folder = options.out / "work"
    given = ["--mask", folder / "mask.png", "--weights", folder / "network.ckpt", "--device", "cpu"]
    arguments = [folder / "frames", *given, "--max-frames", 20, "--output", folder / "results"]
    chosen = make_parser().parse_args(list(map(str, arguments)))
    with replacing(folder / "frames.csv") as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        last = time.perf_counter()

        def note(name: str, progress: object) -> None:
            nonlocal last
            now = time.perf_counter()
            done, memory = progress.done, progress.memory_bytes / 2**20  # type: ignore[attr-defined]
            writer.writerow((done - 1, f"{1000 * (now - last):.2f}", f"{resident_mb():.1f}", f"{memory:.2f}", ""))
            last = now

        for _ in segment_all(chosen, note):
            pass


def slope(values: np.ndarray) -> Slope:
    """Fit a line to the means of blocks of equal length, without the first tenth of the frames.

    Example:
        >>> slope(np.arange(1000.0)).per_thousand
        1000.0
    """
    kept = values[len(values) // 10 :]
    length = max(1, len(kept) // BLOCKS)
    means = kept[: len(kept) // length * length].reshape(-1, length).mean(axis=1)
    x = np.arange(len(means)) * length
    (rise, start), covariance = np.polyfit(x, means, 1, cov="unscaled")
    rest = means - rise * x - start
    error = 2 * np.sqrt(covariance[0, 0] * (rest**2).sum() / max(1, len(means) - 2))
    return Slope(float(means.mean()), round(1000 * float(rise), 9), 1000 * float(error))


def page(tables: dict[str, pd.DataFrame], options: argparse.Namespace) -> str:
    """Settings and slopes as Markdown."""
    (height, width), about = options.size, describe(torch.device("cpu"))
    lines = [
        "# Soak",
        "",
        f"{options.frames} frames of {width}x{height} with {options.objects} objects, {options.model} with random "
        f"weights, 20 frames in memory; {about['device']}, {about['threads']} thread, torch {about['torch']}.",
        "",
        "| mode | figure | mean | rise in 1000 frames | twice its standard error | grows |",
        "|---|---|---|---|---|---|",
    ]
    for mode, table in tables.items():
        for column, label in FIGURES.items():
            found = slope(table[column].to_numpy(float))
            grows = "yes" if found.per_thousand > found.error else "no"
            lines.append(
                f"| {mode} | {label} | {found.level:.2f} | {found.per_thousand:+.3f} | {found.error:.3f} | {grows} |"
            )
    return "\n".join([*lines, "", "![time and resident size](soak.png)", ""])


def draw(tables: dict[str, pd.DataFrame], path: Path) -> None:
    """Plot time and resident size over the frames."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for panel, (column, label) in zip(figure.subplots(1, len(FIGURES)), FIGURES.items(), strict=True):
        for index, (mode, table) in enumerate(tables.items()):
            window = min(WINDOW, len(table))
            shown = table[column].rolling(window, min_periods=1).median()
            panel.plot(table["t"], table[column], f"C{index}", alpha=0.2, linewidth=0.5)
            panel.plot(table["t"], shown, f"C{index}", label=mode)
        panel.set(xlabel="frame", ylabel=label)
        panel.set_ylim(0, 1.25 * max(table[column].quantile(0.995) for table in tables.values()))
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=8)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110, format="png")


if __name__ == "__main__":
    main()
