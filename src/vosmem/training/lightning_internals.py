"""Everything that is used of PyTorch Lightning beyond its documented interface, a function each.

`tests/training/test_lightning_internals.py` holds each to what it expects, and says which change of Lightning broke it.
"""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


def batches_done(trainer: pl.Trainer) -> int:
    """Batches that a training has begun in all its epochs, the one under way included.

    Seen in 2.6.6: `Trainer.fit_loop` and `total_batch_idx` are public names without documentation.
    """
    return int(trainer.fit_loop.total_batch_idx) + 1


def validate_now(trainer: pl.Trainer) -> None:
    """Validate in the middle of a training, as its loop would.

    Seen in 2.6.6: `_TrainingEpochLoop.advance` does the same around `val_loop.run()`; `Trainer.validate` would end the
    training's state.
    """
    trainer.validating = True
    trainer.fit_loop.epoch_loop.val_loop.run()
    trainer.training = True


def set_logged_step(trainer: pl.Trainer, step: int) -> None:
    """Let what is logged from here on stand at a step.

    Seen in 2.6.6: loggers count by `_TrainingEpochLoop._batches_that_stepped`. A checkpoint holds it as it was before
    the step that it was saved in, and the loop makes up for that in the next step alone.
    """
    trainer.fit_loop.epoch_loop._batches_that_stepped = step


def batch_progress(checkpoint: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """The counts of batches in a checkpoint, of the epoch and of all: they are Lightning's own, to be changed in place.

    Seen in 2.6.6: each has `ready`, `started`, `processed` and `completed`.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    return progress["current"], progress["total"]


def has_saved(callback: ModelCheckpoint, trainer: pl.Trainer) -> bool:
    """Whether a callback has saved the step that a training is at.

    Seen in 2.6.6: `ModelCheckpoint._last_global_step_saved`, by which it saves no step twice itself.
    """
    return callback._last_global_step_saved == trainer.global_step


def save_now(callback: ModelCheckpoint, trainer: pl.Trainer) -> None:
    """Save by a callback that monitors nothing, whatever its interval.

    Seen in 2.6.6: `ModelCheckpoint._save_none_monitor_checkpoint`, which also notes path and step; the documented
    `Trainer.save_checkpoint` does neither.
    """
    callback._save_none_monitor_checkpoint(trainer, callback._monitor_candidates(trainer))


def scales_gradients(trainer: pl.Trainer) -> bool:
    """Whether gradients are scaled, as fp16 needs it.

    Seen in 2.6.6: `MixedPrecision.scaler`, which other precisions do not have.
    """
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def set_accumulation(trainer: pl.Trainer, batches: int, validate_every: int) -> None:
    """Set what the constructor takes too, once a trainer knows how many devices it has.

    Seen in 2.6.6: `fit` reads `accumulate_grad_batches` and `val_check_interval` when it starts.

    Args:
        trainer: that has not begun.
        batches: whose gradients make a step.
        validate_every: batches between two validations.
    """
    trainer.accumulate_grad_batches = batches
    trainer.val_check_interval = validate_every
