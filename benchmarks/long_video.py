"""Measure time and memory of every frame of a long video, to see whether they grow.

    python -m benchmarks.long_video OUT [--frames 3000] [--size 192 320] [--objects 2] [--period 100]
        "NAME: KEY=VALUE ..." ...

Each variant is a name and keys of `vosmem evaluate` (`memory=every_n memory.max_frames=20 precision=bf16
checkpoint=FILE`), or `model=NAME model.KEY=VALUE` for random weights. Variants run one after the other, each in its
own process. The video is rendered from embedded photographs and played forwards and backwards in turn,
`--period` frames each. OUT gets `long_video.csv` (every frame) and `long_video.png`. Rendering a frame is not timed.
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import pandas as pd
import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from vosmem.benchmark.machine import describe, resident_mb, synchronize
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.models import without_weights
from vosmem.commands.common import compose, make, make_engine
from vosmem.data.rendering.rendered_videos import RenderedSequence

matplotlib.use("agg")
COLUMNS = ("t", "ms", "resident_mb", "memory_mb", "memory_frames")
WINDOW = 50  # frames of the running median


def main() -> None:
    """Run the variants and draw, or run a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("variants", nargs="+", metavar="NAME: KEY=VALUE ...")
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--size", type=int, nargs=2, default=(192, 320), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--period", type=int, default=100)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run(options, options.variants)
        return
    tables = []
    for variant in options.variants:
        name, overrides = variant.split(":", 1)
        tables.append(measured(options, overrides.split()).assign(variant=name.strip()))
    table = pd.concat(tables, ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "long_video.csv", index=False)
    draw(table, options.out / "long_video.png")
    print(describe(torch.device("cpu")))
    print(summary(table).to_string(index=False))


def measured(options: argparse.Namespace, overrides: list[str]) -> pd.DataFrame:
    """Measure one variant in a process of its own."""
    flags = ["--frames", options.frames, "--size", *options.size, "--objects", options.objects]
    flags += ["--period", options.period, "--worker"]
    command = [sys.executable, "-m", "benchmarks.long_video", str(options.out), *overrides, *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        table = pd.read_csv(process.stdout, names=list(COLUMNS))
    if process.returncode or len(table) != options.frames:
        sys.exit(f"the variant {' '.join(overrides)} ended after {len(table)} frames; its output is above")
    return table


@torch.inference_mode()
def run(options: argparse.Namespace, overrides: list[str]) -> None:
    """Print a CSV row for every frame."""
    models = [override for override in overrides if override.startswith(("model=", "model."))]
    rest = [override for override in overrides if override not in models]
    config = compose("evaluate", "paths.output_dir=unused", *rest)
    engine = make_engine(config)
    if models:
        network = make(OmegaConf.create(without_weights(compose("train", *models).model)))
    else:
        network = load_network(config.checkpoint)
    propagator = make(config.method)(engine.ready(network.eval()))
    sequence = video(options)
    writer = csv.writer(sys.stdout)
    for t in range(options.frames):
        index = t % (2 * options.period)
        index = index if index < options.period else 2 * options.period - 1 - index
        frame = (sequence.frame(index).float() / 255).to(engine.device)
        mask = sequence.labels(0).to(engine.device) if t == 0 else None
        start = time.perf_counter()
        with engine.context():
            propagator.step(frame, mask)
        synchronize(engine.device)
        seconds = time.perf_counter() - start
        kept = propagator.memory_bytes / 2**20, len(propagator.memory_frames)
        writer.writerow((t, f"{1000 * seconds:.2f}", f"{resident_mb():.1f}", f"{kept[0]:.2f}", kept[1]))
        sys.stdout.flush()


def video(options: argparse.Namespace) -> RenderedSequence:
    """The rendered video that is played forwards and backwards."""
    (height, width), objects = options.size, options.objects
    scene = [f"eval_set.scene.{key}={value}" for key, value in (("height", height), ("width", width))]
    scene += [f"eval_set.scene.num_objects=[{objects},{objects}]", f"eval_set.scene.num_frames={options.period}"]
    sequence: RenderedSequence = make(compose("evaluate", "eval_set=rendered", *scene).eval_set)[0]
    return sequence


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Medians of the second and the last tenth of every variant; the first tenth warms up."""
    lines = []
    for name, own in table.groupby("variant", sort=False):
        tenth = len(own) // 10
        early, late = own.iloc[tenth : 2 * tenth], own.iloc[-tenth:]
        lines.append(
            {
                "variant": name,
                "ms, second tenth": round(early["ms"].median(), 1),
                "ms, last tenth": round(late["ms"].median(), 1),
                "resident MB, second tenth": round(early["resident_mb"].median()),
                "resident MB, last": round(late["resident_mb"].iloc[-1]),
                "memory MB, last": round(late["memory_mb"].iloc[-1], 1),
                "frames in memory, last": late["memory_frames"].iloc[-1],
            }
        )
    return pd.DataFrame(lines)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Plot time, resident size and frames in memory over the video."""
    panels = {"ms": "milliseconds a frame", "resident_mb": "resident size, MB", "memory_frames": "frames in memory"}
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    for panel, (column, label) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for index, (name, own) in enumerate(table.groupby("variant", sort=False)):
            if column == "ms":
                panel.plot(own["t"], own[column], f"C{index}", alpha=0.25, linewidth=0.5)
            shown = (
                own[column].rolling(min(WINDOW, len(own)), min_periods=1).median() if column == "ms" else own[column]
            )
            panel.plot(own["t"], shown, f"C{index}", label=name)
        panel.set(xlabel="frame", ylabel=label)
        panel.set_ylim(0, 1.25 * table[column].quantile(0.995))
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
