"""Callbacks that end a training: when a user or the system asks for it, or when one batch is learnt."""

import signal
import sys
import threading
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from vosmem.errors import InputError


class Stopped(SystemExit):
    """A training that was asked to end; its status is the shell's for the signal."""

    all_processes = True


class StopWhenAsked(pl.Callback):
    """Ends a training after the current step on SIGTERM (SLURM's pre-emption) and on the first Ctrl-C.

    The checkpoint callbacks save then. All processes end together, whichever of them got the signal. A validation ends
    at once: the step before it is saved already. A second Ctrl-C ends the process at once.
    """

    def __init__(self) -> None:
        self._asked: signal.Signals | None = None

    def on_train_start(self, *_: Any, **__: Any) -> None:
        """Handle signals instead of Lightning, whose processes wait for each other forever if one gets a signal."""
        self._listen()

    def on_validation_start(self, *_: Any, **__: Any) -> None:
        """Handle signals also in a validation without training."""
        self._listen()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """End between two steps, when every callback has handled the one before."""
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
        resume = f"; continue with: vosmem train resume={trainer.default_root_dir}" if trainer.global_step else ""
        print(f"\nvosmem: stopped by {asked.name} at step {trainer.global_step}{resume}", file=sys.stderr)
        raise Stopped(128 + asked)


class UntilLossFalls(pl.Callback):
    """Ends a training on one batch when its loss has fallen to a share of the first step's loss.

    Args:
        share: the share, in (0, 1).

    Raises:
        InputError: the share is outside (0, 1).
    """

    def __init__(self, share: float):
        if not 0 < share < 1:
            raise InputError(f"share={share} of the first loss is outside (0, 1): use e.g. 0.5")
        self.share = share
        self._step_losses: list[float] = []
        self._first: float | None = None
        self._lowest = float("inf")

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *_: Any, **__: Any) -> None:
        """Compare the loss of a whole step with the first one."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        assert isinstance(loss, Tensor)
        self._step_losses.append(float(loss))
        if len(self._step_losses) < trainer.accumulate_grad_batches:
            return
        total, self._step_losses = sum(self._step_losses), []
        self._first = total if self._first is None else self._first
        self._lowest = min(self._lowest, total)
        trainer.should_stop = trainer.should_stop or trainer.strategy.reduce_boolean_decision(self._fell())

    def on_train_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Raise InputError if the loss did not fall: network, loss, data or learning rate are wrong."""
        if self._first is not None and not self._fell():
            raise InputError(
                f"the loss of one batch fell from {self._first:.4g} to {self._lowest:.4g} in {trainer.global_step} "
                f"steps, not to {self.share:.0%} of it: look at the clips with vosmem data gallery show=clips, set "
                "another optimizer.lr, or raise trainer.max_steps"
            )

    def _fell(self) -> bool:
        return self._first is not None and self._lowest <= self.share * self._first
