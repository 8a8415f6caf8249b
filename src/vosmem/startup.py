"""Duration of each stage of a command's start, one log line a stage."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities import rank_zero_only

log = logging.getLogger(__name__)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Log the seconds that a stage takes."""
    start = time.perf_counter()
    yield
    report_stage(stage, time.perf_counter() - start)


def report_stage(stage: str, seconds: float) -> None:
    """Log the seconds of a stage, only in the first process of a run."""
    if is_first_process():
        log.info("start-up: %s: %.1f s", stage, seconds)


def is_first_process() -> bool:
    """Whether this is the only process of a run or the first one, also before the processes are connected."""
    return not getattr(rank_zero_only, "rank", 0)
