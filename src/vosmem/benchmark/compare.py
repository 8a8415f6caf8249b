"""A benchmark: every implementation in every case, in turn."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float

from vosmem.benchmark.turns import Case, Worker
from vosmem.networks.cost import FrameCost

PART_TURNS = 3
Start = Callable[[], Worker]


@dataclass
class Row:
    """What an implementation did in a case.

    Attributes:
        implementation: its name.
        case: the case.
        seconds: of every frame.
        ratio: how many times as fast as the first implementation; the median over pairs of turns.
        peak_mb: most memory beyond that after loading.
        parts: median seconds by part; empty where there are none to tell apart.
        gflop: work of a frame by part, for implementations of this package.
        rate: GFLOP/s of a large convolution, as this implementation would run it.
        error: largest difference of a probability from float64 in one step with given masks; None where there is no
            float64 to compare with.
        flips: share of pixels with another label than in float64.
    """

    implementation: str
    case: Case
    seconds: list[float] = field(default_factory=list)
    ratio: float = 1.0
    peak_mb: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    gflop: dict[str, float] = field(default_factory=dict)
    rate: float | None = None
    error: float | None = None
    flips: float | None = None

    @property
    def median_ms(self) -> float:
        """Of a frame."""
        return 1000 * statistics.median(self.seconds)

    @property
    def p95_ms(self) -> float:
        """95 of 100 frames are faster."""
        return 1000 * float(np.percentile(self.seconds, 95))

    @property
    def floor_ms(self) -> float | None:
        """The work at the rate of the large convolution."""
        return None if self.rate is None else 1000 * sum(self.gflop.values()) / self.rate

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        case = self.case._asdict()
        derived = {"median_ms": self.median_ms, "p95_ms": self.p95_ms, "floor_ms": self.floor_ms}
        return {**asdict(self), "case": case, **derived}


def cases(objects: Sequence[int], memory: Sequence[int], sizes: Sequence[Sequence[int]]) -> list[Case]:
    """Each list varied while the first of each other stands still.

    Args:
        objects: numbers of objects (K).
        memory: frames in memory (T).
        sizes: (height, width) of frames.

    Example:
        >>> [case[:2] for case in cases([1, 3], [5, 1], [(480, 854)])]
        [(1, 5), (1, 1), (3, 5)]
    """
    (height, width), k, t = sizes[0], objects[0], memory[0]
    found = [Case(k, num_frames, height, width) for num_frames in memory]
    found += [Case(num_objects, t, height, width) for num_objects in objects[1:]]
    found += [Case(k, t, own_height, own_width) for own_height, own_width in sizes[1:]]
    return found


def compare(
    starts: Mapping[str, Start], case: Case, cost: FrameCost, repeats: int, exact: Float[np.ndarray, "K1 H W"] | None
) -> Iterator[Row]:
    """One case.

    Args:
        starts: starts each implementation's process; the first is what the others are compared with.
        case: the case.
        cost: work of a frame.
        repeats: frames of each.
        exact: probabilities of one step in float64, to compare with.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(start()) for name, start in starts.items()}
        rows = {name: Row(name, case, peak_mb=worker.prepare(case)) for name, worker in workers.items()}
        for _ in range(repeats):
            for name, worker in workers.items():
                rows[name].seconds.append(worker.frame(case))
        base = next(iter(rows.values())).seconds
        for name, worker in workers.items():
            row = rows[name]
            row.ratio = statistics.median(theirs / own for theirs, own in zip(base, row.seconds, strict=True))
            turns = [worker.parts(case) for _ in range(PART_TURNS)]
            row.parts = {part: statistics.median(turn[part] for turn in turns) for part in turns[0]}
            row.rate = worker.rate(case)
            row.gflop = cost._asdict() if row.parts else {}
            if exact is not None:
                with TemporaryDirectory() as folder:
                    row.error, row.flips = difference(worker.step(case, Path(folder)), exact)
            yield row


def difference(probs: Float[np.ndarray, "K1 H W"], exact: Float[np.ndarray, "K1 H W"]) -> tuple[float, float]:
    """Largest difference of a probability, and the share of pixels with another label."""
    flips = (probs.argmax(axis=0) != exact.argmax(axis=0)).mean()
    return float(np.abs(probs.astype(np.float64) - exact).max()), float(flips)
