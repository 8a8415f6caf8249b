"""Callbacks: what a run keeps beside its weights."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch

from vosmem.data.sampling.clip_data import ClipData
from vosmem.shapes import Clip
from vosmem.training.lightning_internals import batch_progress, batches_done, set_logged_step, validate_now

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class TrackSamples(pl.Callback):
    """Keeps a checkpoint's position at a whole step, whenever it is made.

    Gradients that were gathered for a step that is not done are in no checkpoint, so its batches are to be taken again.
    """

    def __init__(self) -> None:
        self._pending = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Tell the sampler how far training has come, before the checkpoint callbacks save its position."""
        self._pending += len(batch.frames)
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            trainer.datamodule.sampler.advance(self._pending)  # type: ignore[attr-defined]
            self._pending = 0

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take Lightning's own count back to the last whole step, where a batch or a step is under way."""
        current, total = batch_progress(checkpoint)
        beyond = current["processed"] % trainer.accumulate_grad_batches
        if beyond or current["ready"] > current["processed"]:
            whole = {"current": current["processed"] - beyond, "total": total["processed"] - beyond}
            for counts, done in ((current, whole["current"]), (total, whole["total"])):
                counts.update(dict.fromkeys(("ready", "started", "processed", "completed"), done))


class FinishValidation(pl.Callback):
    """Validates when a training goes on from a step whose validation was not finished."""

    def __init__(self) -> None:
        self._validated_at = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the step."""
        self._validated_at = trainer.global_step

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate, as Lightning's loop would have."""
        batches = int(trainer.val_check_batch or 0)
        due = batches and trainer.global_step and batches_done(trainer) % batches == 0
        if due and self._validated_at != trainer.global_step:
            validate_now(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let the validation after training be logged at the last step, also where no step was left to be done."""
        set_logged_step(trainer, trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """The step of the last validation."""
        return {"validated_at": self._validated_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The same from a checkpoint."""
        self._validated_at = state_dict["validated_at"]


class LogMaxSkip(pl.Callback):
    """Logs the curriculum's greatest skip at the trainer's logging interval, where the data has a curriculum."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Clip, batch_idx: int
    ) -> None:
        """Log now and then, before the batch is counted as done."""
        data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
        if data.curriculum is not None and data.sampler is not None:
            pl_module.log("train/max_skip", float(data.sampler.max_skip))


class KeepConfig(pl.Callback):
    """Puts the resolved configuration into every checkpoint, as plain values that load without running code.

    Args:
        config: the resolved configuration.
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add it."""
        checkpoint["config"] = self.config


class LogMemory(pl.Callback):
    """Logs the most memory used so far, in MB, at the trainer's logging interval: the device's, or this process's."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Log now and then."""
        peak = _peak_bytes(pl_module.device)
        if peak is not None:
            pl_module.log("train/peak_memory_mb", peak / 2**20)


def _peak_bytes(device: torch.device) -> int | None:
    """None where the system does not tell (Windows, without a GPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # of getrusage: bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class LogThroughput(pl.Callback):
    """Logs clips per second over all processes, validation left out, at the trainer's logging interval."""

    def __init__(self) -> None:
        self._clips, self._seconds, self._start = 0, 0.0, 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Clip, batch_idx: int
    ) -> None:
        """Start the clock at the first batch."""
        self._start = self._start or time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._stop()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Count, and log now and then. The wait for the next batch counts, since the clock runs on."""
        self._clips += len(batch.frames) * trainer.world_size
        if batches_done(trainer) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._stop()
            self._start = time.perf_counter()
            pl_module.log("train/clips_per_second", self._clips / max(self._seconds, 1e-9))
            self._clips, self._seconds = 0, 0.0

    def _stop(self) -> None:
        if self._start:
            self._seconds += time.perf_counter() - self._start
        self._start = 0.0
