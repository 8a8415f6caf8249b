"""A warning about a long training, while there is time to choose a shorter one."""

import sys
import time
from typing import Any

import pytorch_lightning as pl

from vosmem.shapes import Clip


class WarnIfLong(pl.Callback):
    """Estimates the time of a training from its first steps, and says how to do less if that is long.

    The progress bar counts the time left either way. The first step is left out of the estimate: it waits for the data
    and prepares the device.

    Args:
        minutes: estimated duration above which the warning is printed.
        steps: steps that the estimate is made of, after the first one.
    """

    def __init__(self, minutes: float, steps: int):
        self.minutes, self.steps = minutes, steps
        self._start: tuple[int, float] | None = None
        self._done = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Start the clock at the end of the first step; after some more, estimate once."""
        if self._done or trainer.global_step < 1:
            return
        if self._start is None:
            self._start = trainer.global_step, time.perf_counter()
            return
        measured = trainer.global_step - self._start[0]
        if measured < self.steps:
            return
        self._done = True
        steps = trainer.max_steps - trainer.global_step
        left = (time.perf_counter() - self._start[1]) / measured * steps / 60
        if left > self.minutes and trainer.is_global_zero:
            fewer = max(1, int(trainer.max_steps * self.minutes / left))
            print(
                f"\nvosmem: {steps} steps will take about {left:.0f} minutes: for less time and a lower score, "
                f"stop it and set trainer.max_steps={fewer}",
                file=sys.stderr,
            )
