"""How the time of a frame grows, beside how the work does."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vosmem.benchmark.compare import Row
from vosmem.benchmark.turns import Case

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
        unit: what one step of the axis is.
        slope_ms: milliseconds for each step.
        work_ms: the same of the work at the measured rate of a convolution; None where that is not known.
    """

    implementation: str
    axis: str
    unit: str
    slope_ms: float
    work_ms: float | None


def growth(rows: Sequence[Row]) -> list[Growth]:
    """The slope of every axis along which at least two cases differ and nothing else does."""
    found = []
    for name in dict.fromkeys(row.implementation for row in rows):
        own = [row for row in rows if row.implementation == name]
        for axis, (value, unit) in AXES.items():
            line = [row for row in own if _differs_in(axis, row.case, own[0].case)]
            if len({value(row.case) for row in line}) > 1:
                xs = [value(row.case) for row in line]
                floors = [row.floor_ms for row in line]
                work = None if None in floors else _slope(xs, [floor for floor in floors if floor is not None])
                found.append(Growth(name, axis, unit, _slope(xs, [row.median_ms for row in line]), work))
    return found


def _differs_in(axis: str, case: Case, base: Case) -> bool:
    """Whether a case equals the base in all but that axis."""
    return all(value(case) == value(base) for name, (value, _) in AXES.items() if name != axis)


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    return float(np.polyfit(xs, ys, 1)[0])
