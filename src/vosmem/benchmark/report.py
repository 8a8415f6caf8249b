"""Time the engine in one case after the other; write the figures as JSON, Markdown and a plot."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame
from vosmem.benchmark.machine import convolution_rate, peak_mb, reset_peak, seconds_of
from vosmem.evaluation.tables import as_markdown
from vosmem.inference.engine.engine import Engine
from vosmem.networks.cost import FrameCost
from vosmem.networks.network import MemoryNetwork
from vosmem.visualization.benchmark import plot_benchmark

PART_SHARE = 0.25  # of the seconds of a case, for each part


def time_engine(
    name: str,
    network: MemoryNetwork,
    engine: Engine,
    cases: Sequence[Case],
    cost: Callable[[Case], FrameCost],
    min_seconds: float,
) -> Iterator[dict[str, Any]]:
    """Time the frames of one engine in this process, each case for at least `min_seconds`.

    The network is not yet prepared for the engine; `cost` is the work of a frame in GFLOP.

    Yields:
        the figures of each case by column; milliseconds, and units of 2^20 bytes for the peak, which counts beyond what
        was in use before the case. The floor is the work at the rate of a large convolution.
    """
    rate = convolution_rate(engine.device, engine.dtype)
    network = engine.ready(network)
    for case in cases:
        before = reset_peak(engine.device)
        frame = EngineFrame(network, engine, case)
        frame.frame()  # warms up, and brings the state that each part needs
        peak = peak_mb(engine.device) - before
        seconds = seconds_of(frame.frame, min_seconds)
        median, floor = 1000 * statistics.median(seconds), 1000 * cost(case).total / rate
        times = {part: seconds_of(run, PART_SHARE * min_seconds) for part, run in frame.parts.items()}
        yield {
            "implementation": name,
            "K": case.num_objects,
            "T": case.num_frames,
            "width": case.width,
            "height": case.height,
            "measurements": len(seconds),
            "median ms": median,
            "slowest ms": 1000 * max(seconds),
            "frames/s": 1000 / median,
            "floor ms": floor,
            "times the floor": median / floor,
            **{f"{part} ms": 1000 * statistics.median(own) for part, own in times.items()},
            "peak MB": peak,
        }


def write_report(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """Write `benchmark.json`, `benchmark.md` and `benchmark.png`; return the files by kind.

    `about` is what the figures depend on and has the key `model`; `rows` are the figures, as of `time_engine`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"benchmark.{kind}" for kind in ("json", "md", "png")}
    table = pd.DataFrame(rows)
    files["json"].write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    lines = "".join(f"* {name.replace('_', ' ')}: {value}\n" for name, value in about.items())
    files["md"].write_text(f"# Benchmark of {about['model']}\n\n{lines}\n{as_markdown(table)}", encoding="utf-8")
    plot_benchmark(table, files["png"])
    return files
