"""Measure what local attention gains next to a copy of the object, by the distance of the copy.

    python -m benchmarks.distractors CHECKPOINT [--images embedded] [--count 40] [--locality 4] [--output DIR]
        [KEY=VALUE ...]    (of `vosmem data gallery`, such as paths.images=DIR)

An object moves over another photograph, and from the second frame on an exact copy of it moves along at a fixed
distance, in units of the object's longer side. The output is a table and a plot: the share of the copy that is labelled
as the object, J, and J of the same video without the copy. Attention on features takes part if the network was trained
with it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from vosmem.commands import compose, load_network, make
from vosmem.data.clips.cutouts import CutOut, centred, choose_donor, cut_out, paste, turned
from vosmem.data.sources.image_sets import ImageSource
from vosmem.evaluation.tables import write_table
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import most_probable
from vosmem.memory.policy import EveryN
from vosmem.metrics.region import jaccard
from vosmem.networks import LocalAttention, MemoryNetwork

DISTANCES = (1.2, 1.6, 2.0, 2.5)
HEIGHT, WIDTH, SIDE, STEP = (
    240,
    432,
    64,
    4,
)  # in pixels: a frame, the object's longer side, and its displacement per frame
MASK, COPY, TAKEN, ALONE = 1, 2, "copy taken %", "J without copy %"
COLUMNS = ("local attention", "distance")


class Shown(NamedTuple):
    """A frame and the labels of object (1) and copy (2)."""

    frame: np.ndarray
    labels: np.ndarray


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", help="a file, or the name of weights that come with the package")
    parser.add_argument("--images", default="embedded")
    parser.add_argument("--count", type=int, default=40, help="videos for each distance")
    parser.add_argument("--num-frames", type=int, default=8)
    parser.add_argument("--locality", type=float, default=4.0)
    parser.add_argument("--output", type=Path, default=Path("outputs/distractors"))
    options, overrides = parser.parse_known_args()
    source: ImageSource = make(compose("gallery", f"train_images={options.images}", *overrides).train_images)
    network = load_network(options.checkpoint)
    rows = measure(network, source, options.count, options.num_frames, options.locality)
    table = pd.DataFrame(rows).groupby(list(COLUMNS), sort=False).mean().reset_index()
    options.output.mkdir(parents=True, exist_ok=True)
    files = [*write_table(table, options.output / "table.csv"), plot(table, options.output / "plot.png")]
    print(table.to_string(index=False, float_format=lambda value: f"{value:.1f}"), *files, sep="\n")


def measure(
    network: MemoryNetwork, source: ImageSource, count: int, num_frames: int, locality: float
) -> Iterator[dict[str, Any]]:
    """A row for each video, distance and kind of attention; all kinds see the same videos."""
    kinds = {"none": LocalAttention(), "matching": LocalAttention(locality=locality)}
    if network.modulates:
        kinds |= {"features": LocalAttention(strength=0.5), "both": LocalAttention(strength=0.5, locality=locality)}
    ready = {name: Engine(torch.device("cpu"), local_attention=kind).ready(network) for name, kind in kinds.items()}
    for position in range(count):
        alone = video(source, None, num_frames, position)
        scores = {name: follow(own, alone)[1] for name, own in ready.items()}
        for distance in DISTANCES:
            beside = video(source, distance, num_frames, position)
            for name, own in ready.items():
                taken, overlap = follow(own, beside)
                values = {TAKEN: 100 * taken, "J %": 100 * overlap, ALONE: 100 * scores[name]}
                yield {**dict(zip(COLUMNS, (name, distance), strict=True)), **values}


def video(source: ImageSource, distance: float | None, num_frames: int, position: int) -> list[Shown]:
    """A video that depends only on its index, with a copy at a distance or without one."""
    rng = np.random.default_rng(position)
    item, label = choose_donor(source, rng)
    thing = cut_out(source.read(item), label, float(SIDE))
    others = [index for index in range(len(source)) if index != item]
    ground = cv2.resize(source.read(int(rng.choice(others))).image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    side = int(rng.choice([-1, 1]))  # side of the copy; the object starts in the other half
    x, y = WIDTH / 2 - side * rng.uniform(70, 110), HEIGHT * rng.uniform(0.35, 0.65)
    tilt = rng.uniform(-0.3, 0.3)
    shown = []
    for t in range(num_frames):
        frame, labels = ground.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        at = (float(x + side * STEP * t), float(y + STEP * np.sin(t)))
        if distance is not None and t > 0:
            pixels = distance * SIDE
            copy_at = (float(at[0] + side * pixels * np.cos(tilt)), float(at[1] + pixels * np.sin(tilt)))
            _lay(frame, labels, thing, copy_at, COPY)
        _lay(frame, labels, thing, at, MASK)
        shown.append(Shown(frame, labels))
    return shown


def _lay(frame: np.ndarray, labels: np.ndarray, thing: CutOut, at: tuple[float, float], label: int) -> None:
    paste(frame, labels, thing, turned(0.0, 1.0, *at) @ centred(thing.alpha), label)


def follow(network: MemoryNetwork, shown: list[Shown]) -> tuple[float, float]:
    """Share of the copy's pixels labelled as the object, and J; means over the frames after the first."""
    propagator, taken, overlaps = Propagator(network, EveryN()), [], []
    for t, (frame, labels) in enumerate(shown):
        picture = torch.from_numpy(frame).permute(2, 0, 1).float() / 255
        mask = torch.from_numpy((labels == MASK).astype(np.uint8)) if t == 0 else None
        found = most_probable(propagator.step(picture, mask)).numpy() == 1
        if t > 0:
            copy = labels == COPY
            taken.append((found & copy).sum() / max(1, copy.sum()))
            overlaps.append(jaccard(labels == MASK, found))
    return float(np.mean(taken)), float(np.mean(overlaps))


def plot(table: pd.DataFrame, path: Path) -> Path:
    """Plot both figures over the distance, a line for each kind of attention."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, column in zip(figure.subplots(1, 2), (TAKEN, "J %"), strict=True):
        for name, own in table.groupby(COLUMNS[0], sort=False):
            axes.plot(own[COLUMNS[1]], own[column], "-o", markersize=4, label=name)
        axes.set(xlabel="distance in lengths of the object", ylabel=column, ylim=(0, 1.1 * table[column].max()))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    return path


if __name__ == "__main__":
    main()
