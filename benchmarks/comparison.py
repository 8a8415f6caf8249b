"""Compare implementations in one case: they take turns, and the ratio of each pair of turns counts."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from benchmarks.turns import Worker
from jaxtyping import Float

from vosmem.benchmark.cases import Case
from vosmem.networks.cost import FrameCost

PART_TURNS = 3


@dataclass
class CaseResult:
    """Figures of one implementation in one case.

    Attributes:
        implementation: its name.
        case: the case.
        seconds: of every frame.
        ratio: how many times as fast as the first implementation; the median over pairs of turns.
        peak_mb: peak memory beyond that after loading, in units of 2^20 bytes.
        parts: median seconds by part; empty where parts cannot be separated.
        gflop: work of a frame by part; empty for implementations outside this package.
        rate: GFLOP/s of a large convolution, as this implementation runs it.
        error: largest difference of a probability from float64 in one step with given masks; None without float64.
        flips: share of pixels whose label differs from that in float64.
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
        """Milliseconds of a frame."""
        return 1000 * statistics.median(self.seconds)

    @property
    def p95_ms(self) -> float:
        """Milliseconds below which 95 of 100 frames are."""
        return 1000 * float(np.percentile(self.seconds, 95))

    @property
    def floor_ms(self) -> float | None:
        """Milliseconds of the work at the rate of the large convolution."""
        return None if self.rate is None else 1000 * sum(self.gflop.values()) / self.rate

    def as_dict(self) -> dict[str, Any]:
        """All attributes and properties, for JSON."""
        derived = {"median_ms": self.median_ms, "p95_ms": self.p95_ms, "floor_ms": self.floor_ms}
        return {**asdict(self), "case": self.case._asdict(), **derived}


def compare(
    starts: Mapping[str, Callable[[], Worker]],
    case: Case,
    cost: FrameCost,
    repeats: int,
    exact: Float[np.ndarray, "K1 H W"] | None,
) -> Iterator[CaseResult]:
    """Run all implementations in turn.

    Args:
        starts: starts each implementation's process; the first implementation is what the others are compared with.
        case: the case.
        cost: work of a frame.
        repeats: frames of each implementation.
        exact: probabilities of one step in float64, to compare with.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(start()) for name, start in starts.items()}
        results = {name: CaseResult(name, case, peak_mb=worker.prepare(case)) for name, worker in workers.items()}
        for _ in range(repeats):
            for name, worker in workers.items():
                results[name].seconds.append(worker.frame(case))
        base = next(iter(results.values())).seconds
        for name, worker in workers.items():
            result = results[name]
            result.ratio = statistics.median(first / own for first, own in zip(base, result.seconds, strict=True))
            turns = [worker.parts(case) for _ in range(PART_TURNS)]
            result.parts = {part: statistics.median(turn[part] for turn in turns) for part in turns[0]}
            result.rate = worker.rate(case)
            result.gflop = cost._asdict() if result.parts else {}
            if exact is not None:
                with TemporaryDirectory() as folder:
                    result.error, result.flips = difference(worker.step(case, Path(folder)), exact)
            yield result


def difference(probs: Float[np.ndarray, "K1 H W"], exact: Float[np.ndarray, "K1 H W"]) -> tuple[float, float]:
    """The largest difference of a probability, and the share of pixels with another label."""
    flips = (probs.argmax(axis=0) != exact.argmax(axis=0)).mean()
    return float(np.abs(probs.astype(np.float64) - exact).max()), float(flips)
