"""Duration of each step of a command's start, one log line a step."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities import rank_zero_only

log = logging.getLogger(__name__)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Log the seconds that a step takes."""
    start = time.perf_counter()
    yield
    report_step(step, time.perf_counter() - start)


def report_step(step: str, seconds: float) -> None:
    """Log the seconds of a step, only in the first process of a run."""
    if is_first_process():
        log.info("start-up: %s: %.1f s", step, seconds)


def is_first_process() -> bool:
    """Whether this is the only process of a run or the first one, also before the processes are connected."""
    return not getattr(rank_zero_only, "rank", 0)
