"""Fit how the time of a frame grows with memory, objects and pixels, next to how its work grows."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from benchmarks.comparison import CaseResult

from vosmem.benchmark.cases import Case

AXES: dict[str, tuple[Callable[[Case], float], str]] = {
    "T": (lambda case: case.num_frames, "frame in memory"),
    "K": (lambda case: case.num_objects, "object"),
    "pixels": (lambda case: case.height * case.width / 1e6, "megapixel"),
}


class Growth(NamedTuple):
    """A fitted line.

    Attributes:
        implementation: its name.
        axis: `T`, `K` or `pixels`.
        unit: one step of the axis.
        slope_ms: milliseconds for each step.
        work_ms: milliseconds for the work of each step at the measured rate of a convolution; None without a rate.
    """

    implementation: str
    axis: str
    unit: str
    slope_ms: float
    work_ms: float | None


def growth(results: Sequence[CaseResult]) -> list[Growth]:
    """Fit a line along each axis on which at least two cases differ from the first one in nothing else."""
    found = []
    for name in dict.fromkeys(result.implementation for result in results):
        own = [result for result in results if result.implementation == name]
        for axis, (value, unit) in AXES.items():
            line = [result for result in own if _differs_only_in(axis, result.case, own[0].case)]
            xs = [value(result.case) for result in line]
            if len(set(xs)) > 1:
                floors = [result.floor_ms for result in line if result.floor_ms is not None]
                work = _slope(xs, floors) if len(floors) == len(xs) else None
                found.append(Growth(name, axis, unit, _slope(xs, [result.median_ms for result in line]), work))
    return found


def _differs_only_in(axis: str, case: Case, base: Case) -> bool:
    return all(value(case) == value(base) for name, (value, _) in AXES.items() if name != axis)


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    return float(np.polyfit(xs, ys, 1)[0])
