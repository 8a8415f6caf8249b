"""Callbacks for a look at a training that does not learn."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from vosmem.errors import InputError
from vosmem.shapes import Clip


class UntilLossFalls(pl.Callback):
    """Ends a training on one batch when its loss has fallen far enough.

    Args:
        share: of the first step's loss that the loss has to reach, in (0, 1).

    Raises:
        InputError: the share is outside (0, 1).
    """

    def __init__(self, share: float):
        if not 0 < share < 1:
            raise InputError(f"share={share} of the first loss is not in (0, 1): use 0.5 or so")
        self.share = share
        self._step_losses: list[float] = []
        self._first: float | None = None
        self._lowest = float("inf")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Compare the loss of a whole step with the first one."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        assert isinstance(loss, Tensor)
        self._step_losses.append(float(loss))
        if len(self._step_losses) < trainer.accumulate_grad_batches:
            return
        now, self._step_losses = sum(self._step_losses), []
        self._first = now if self._first is None else self._first
        self._lowest = min(self._lowest, now)
        trainer.should_stop = trainer.should_stop or trainer.strategy.reduce_boolean_decision(self._fell())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See that it fell.

        Raises:
            InputError: it did not; the network, the loss, the data or the rate is at fault.
        """
        if self._first is not None and not self._fell():
            raise InputError(
                f"the loss of one batch fell from {self._first:.4g} to {self._lowest:.4g} in {trainer.global_step} "
                f"steps, not to {self.share:.0%} of it: look at the clips with vosmem data gallery show=clips, set "
                "another optimizer.lr, or raise trainer.max_steps"
            )

    def _fell(self) -> bool:
        return self._first is not None and self._lowest <= self.share * self._first
