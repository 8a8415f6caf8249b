"""What a benchmark found, as JSON, Markdown and a plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from vosmem.benchmark.compare import Row
from vosmem.benchmark.growth import Growth, growth
from vosmem.evaluation.tables import as_markdown
from vosmem.visualization.benchmark import plot_benchmark

PARTS = ("encode", "read", "decode", "memorize")


def write_report(about: Mapping[str, Any], rows: Sequence[Row], folder: Path) -> dict[str, Path]:
    """Write `benchmark.json`, `benchmark.md` and `benchmark.png`.

    Args:
        about: what the figures depend on.
        rows: the figures.
        folder: where the files go; made if it is not there.

    Returns:
        what lies where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = _at_best_rate(rows)
    slopes = growth(rows)
    files = {kind: folder / f"benchmark.{kind}" for kind in ("json", "md", "png")}
    content = {"about": about, "rows": [row.as_dict() for row in rows], "growth": [g._asdict() for g in slopes]}
    files["json"].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    files["md"].write_text(_markdown(about, rows, slopes), encoding="utf-8")
    plot_benchmark(figures(rows), files["png"])
    return files


def figures(rows: Sequence[Row]) -> pd.DataFrame:
    """One line for each implementation and case; milliseconds and megabytes of 2^20 bytes."""
    return pd.DataFrame([_figures(row) for row in rows])


def _at_best_rate(rows: Sequence[Row]) -> list[Row]:
    """The floor is what the machine can do: of the rates that an implementation had in its cases, the best."""
    rates: dict[str, float] = {}
    for row in rows:
        if row.rate is not None:
            rates[row.implementation] = max(row.rate, rates.get(row.implementation, 0.0))
    return [replace(row, rate=rates.get(row.implementation)) for row in rows]


def _figures(row: Row) -> dict[str, Any]:
    floor = row.floor_ms
    return {
        "implementation": row.implementation,
        "K": row.case.num_objects,
        "T": row.case.num_frames,
        "width": row.case.width,
        "height": row.case.height,
        "median ms": row.median_ms,
        "p95 ms": row.p95_ms,
        "frames/s": 1000 / row.median_ms,
        "times as fast": row.ratio,
        "floor ms": floor,
        "times the floor": None if floor is None else row.median_ms / floor,
        **{f"{part} ms": 1000 * row.parts[part] if part in row.parts else None for part in PARTS},
        "peak MB": row.peak_mb,
        "error": row.error,
        "flips": row.flips,
    }


def _markdown(about: Mapping[str, Any], rows: Sequence[Row], slopes: Sequence[Growth]) -> str:
    lines = "".join(f"* {name.replace('_', ' ')}: {value}\n" for name, value in about.items())
    text = f"# Benchmark of {about['model']}\n\n{lines}\n{as_markdown(figures(rows).dropna(axis=1, how='all'))}"
    if slopes:
        names = {"slope_ms": "ms for each", "work_ms": "of them work at the rate of a convolution"}
        text += f"\n## Growth\n\n{as_markdown(pd.DataFrame(slopes).rename(columns=names))}"
    return text
