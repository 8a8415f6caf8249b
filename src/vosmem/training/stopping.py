"""Ending a training when the system or the user asks for it."""

import signal
import sys
import threading
from typing import Any

import pytorch_lightning as pl

from vosmem.shapes import Clip


class Stopped(SystemExit):
    """A training that was asked to end; its status is the shell's for the signal."""

    all_processes = True


class StopWhenAsked(pl.Callback):
    """Ends a training after the step under way on SIGTERM (SLURM's pre-emption) and on the first Ctrl-C.

    The checkpoint callbacks save then. All processes end together, whichever of them was asked. A validation ends at
    once: the step before it is saved already. A second Ctrl-C ends everything where it is.
    """

    def __init__(self) -> None:
        self._asked: signal.Signals | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen, in place of Lightning, whose processes wait for each other for ever when one of them is asked."""
        self._listen()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen in a validation beside training, too."""
        self._listen()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Clip, batch_idx: int
    ) -> None:
        """End between two steps, when every callback has seen the one before."""
        if batch_idx % trainer.accumulate_grad_batches:
            return
        if trainer.strategy.reduce_boolean_decision(self._asked is not None, all=False):
            self._stop(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """End a validation, unless other processes would wait."""
        if self._asked is not None and trainer.world_size == 1:
            self._stop(trainer)

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = signal.Signals(number)

    def _stop(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            raise Stopped(0)  # Lightning would take another status of a further process for a failure
        asked = self._asked or signal.SIGTERM
        way = f"; go on with: vosmem train resume={trainer.default_root_dir}" if trainer.global_step else ""
        print(f"\nvosmem: stopped by {asked.name} at step {trainer.global_step}{way}", file=sys.stderr)
        raise Stopped(128 + asked)
