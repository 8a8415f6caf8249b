"""Stopping a training whose loss or gradients are not finite, and replaying the step that it stopped at."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from vosmem.data.sampling.clip_data import ClipData
from vosmem.errors import InputError
from vosmem.training.lightning_internals import scales_gradients

SHOWN = 8


class NotFinite(InputError):
    """Loss or gradients of a step are not finite; the weights are those before the step."""

    all_processes = True


class StopAtNotFinite(pl.Callback):
    """Ends a training before a step whose loss or gradients are not finite, which would ruin the weights.

    It synchronises with the device once a step. Gradients are not checked if fp16 scales them: the scaler skips a step
    with infinite gradients.
    """

    def __init__(self) -> None:
        self._losses: list[Tensor] = []

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Keep the loss of a batch."""
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Raise NotFinite if a loss or gradient of the step is not finite."""
        losses, self._losses = torch.stack(self._losses), []
        finite = losses.isfinite().all()
        if not scales_gradients(trainer):
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            finite &= get_total_norm(gradients).isfinite()
        if not trainer.strategy.reduce_boolean_decision(bool(finite)):
            raise NotFinite(_fault(trainer, losses))


def _fault(trainer: pl.Trainer, losses: Tensor) -> str:
    names = _step_names(trainer)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    loss = float(losses.sum())  # each is already divided by the number of batches of the step
    what = f"the loss is {loss}" if not torch.isfinite(losses).all() else f"gradients are not finite (loss {loss:.4g})"
    replay = f"look at it with: vosmem train resume={trainer.default_root_dir} replay=true; then "
    saved = f"the state before it is saved; {replay}" if trainer.global_step else ""
    advice = "lower optimizer.lr or set trainer.gradient_clip_val"
    return f"{what} in step {trainer.global_step + 1}, of {', '.join(names[:SHOWN])}{more}: {saved}{advice}"


def _step_names(trainer: pl.Trainer) -> Sequence[str]:
    data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
    assert data.sampler is not None  # the training has started
    return [data.sample_name(key.item) for key in data.sampler.upcoming(data.batch_size)]


class ReplayedBatch(NamedTuple):
    """A batch of a replayed step.

    Attributes:
        names: names of its samples.
        loss: its share of the step's loss.
        first_output: the first module whose output is not finite; None if all outputs are finite.
        first_gradient: the first weight whose gradient is not finite after this batch; None if all are finite.
    """

    names: Sequence[str]
    loss: float
    first_output: str | None
    first_gradient: str | None


class Replayed(Exception):
    """The step was replayed; nothing was changed."""


class Replay(pl.Callback):
    """Replays the next step up to the weight update, and records each batch."""

    def __init__(self) -> None:
        self.batches: list[ReplayedBatch] = []
        self._bad_outputs: list[str] = []
        self._loss = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, part in pl_module.named_modules():
            if name:
                part.register_forward_hook(lambda _part, _inputs, output, name=name: self._check(name, output))

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        self._loss = float(loss)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Record a batch before the last of the step."""
        self._record(trainer, pl_module)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Record the last batch of the step, and raise Replayed."""
        self._record(trainer, pl_module)
        raise Replayed

    def _check(self, name: str, output: Any) -> None:
        tensors = output if isinstance(output, tuple) else (output,)
        if not all(bool(t.isfinite().all()) for t in tensors if isinstance(t, Tensor) and t.is_floating_point()):
            self._bad_outputs.append(name)

    def _record(self, trainer: pl.Trainer, module: nn.Module) -> None:
        data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
        size = data.device_batch_size * trainer.world_size
        start = len(self.batches) * size
        names = _step_names(trainer)[start : start + size][trainer.global_rank :: trainer.world_size]
        gradients = (
            name for name, p in module.named_parameters() if p.grad is not None and not p.grad.isfinite().all()
        )
        first_output = self._bad_outputs[0] if self._bad_outputs else None
        self.batches.append(ReplayedBatch(names, self._loss, first_output, next(gradients, None)))
        self._bad_outputs = []


def replay_step(
    trainer: pl.Trainer, module: pl.LightningModule, data: ClipData, checkpoint: Path
) -> list[ReplayedBatch]:
    """Replay the step after a checkpoint; nothing is changed. The trainer needs a `Replay` callback."""
    with suppress(Replayed):
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    (replay,) = (callback for callback in trainer.callbacks if isinstance(callback, Replay))  # type: ignore[attr-defined]
    return replay.batches
