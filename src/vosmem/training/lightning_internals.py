"""Uses of PyTorch Lightning beyond its documented interface, one function each.

`tests/training/test_lightning_internals.py` tests each, and names the change of Lightning that broke it.
"""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


def batches_done(trainer: pl.Trainer) -> int:
    """Batches that a training has started in all epochs, including the current one.

    Seen in 2.6.6: `Trainer.fit_loop` and `total_batch_idx` are public names without documentation.
    """
    return int(trainer.fit_loop.total_batch_idx) + 1


def validate_now(trainer: pl.Trainer) -> None:
    """Validate in the middle of a training, as Lightning's loop would.

    Seen in 2.6.6: `_TrainingEpochLoop.advance` does the same around `val_loop.run()`; `Trainer.validate` would end the
    training's state.
    """
    trainer.validating = True
    trainer.fit_loop.epoch_loop.val_loop.run()
    trainer.training = True


def set_logged_step(trainer: pl.Trainer, step: int) -> None:
    """Set the step of the values that are logged from now on.

    Seen in 2.6.6: loggers count by `_TrainingEpochLoop._batches_that_stepped`. A checkpoint holds its value before the
    step that it was saved in, and the loop corrects it only in the next step.
    """
    trainer.fit_loop.epoch_loop._batches_that_stepped = step


def batch_progress(checkpoint: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """The batch counts of a checkpoint, of the epoch and in total; callers may change them in place.

    Seen in 2.6.6: each has `ready`, `started`, `processed` and `completed`.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    return progress["current"], progress["total"]


def has_saved(callback: ModelCheckpoint, trainer: pl.Trainer) -> bool:
    """Whether a callback has saved the current step.

    Seen in 2.6.6: `ModelCheckpoint._last_global_step_saved`, by which Lightning saves no step twice.
    """
    return callback._last_global_step_saved == trainer.global_step


def save_now(callback: ModelCheckpoint, trainer: pl.Trainer) -> None:
    """Save now with a callback that monitors nothing, whatever its interval.

    Seen in 2.6.6: `ModelCheckpoint._save_none_monitor_checkpoint`, which also records path and step; the documented
    `Trainer.save_checkpoint` does not.
    """
    callback._save_none_monitor_checkpoint(trainer, callback._monitor_candidates(trainer))


def scales_gradients(trainer: pl.Trainer) -> bool:
    """Whether gradients are scaled, as for fp16.

    Seen in 2.6.6: `MixedPrecision.scaler`, which other precisions lack.
    """
    return getattr(trainer.precision_plugin, "scaler", None) is not None


def logs_this_step(trainer: pl.Trainer) -> bool:
    """Whether the values of the current step reach the loggers.

    Seen in 2.6.6: `_LoggerConnector.should_update_logs` compares the same count, `_batches_that_stepped`.
    """
    return (trainer.fit_loop.epoch_loop._batches_that_stepped + 1) % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]


def set_accumulation(trainer: pl.Trainer, batches: int, validate_every: int) -> None:
    """Set gradient accumulation and validation interval, both in batches, when the number of devices is known.

    Seen in 2.6.6: `fit` reads `accumulate_grad_batches` and `val_check_interval` when it starts.
    """
    trainer.accumulate_grad_batches = batches
    trainer.val_check_interval = validate_every
