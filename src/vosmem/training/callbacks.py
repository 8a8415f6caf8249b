"""Callbacks: exact positions in checkpoints, what a run logs, and reports at its start."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch

from vosmem.data.sampling.clip_data import ClipData
from vosmem.shapes import Clip
from vosmem.startup import report_step
from vosmem.training.lightning_internals import batch_progress, batches_done, set_logged_step, validate_now

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class MoveToDevice(pl.Callback):
    """Moves the network to its device before the callbacks after it are set up.

    Lightning moves it later: a calibration would run on the CPU of a GPU machine, and averaged weights would stay on
    the CPU, so that every step would copy all weights from the GPU.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        pl_module.to(trainer.strategy.root_device)


class TrackSamples(pl.Callback):
    """Keeps the position of every checkpoint at a whole step.

    Gradients of a step that is not done are in no checkpoint, so its batches have to be repeated on resume.
    """

    def __init__(self) -> None:
        self._pending = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Advance the sampler before the checkpoint callbacks save its position."""
        self._pending += len(batch.frames)
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            trainer.datamodule.sampler.advance(self._pending)  # type: ignore[attr-defined]
            self._pending = 0

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Set Lightning's own count back to the last whole step if a batch or a step is under way."""
        current, total = batch_progress(checkpoint)
        beyond = current["processed"] % trainer.accumulate_grad_batches
        if beyond or current["ready"] > current["processed"]:
            whole = {"current": current["processed"] - beyond, "total": total["processed"] - beyond}
            for counts, done in ((current, whole["current"]), (total, whole["total"])):
                counts.update(dict.fromkeys(("ready", "started", "processed", "completed"), done))


class FinishValidation(pl.Callback):
    """Validates when a training resumes at a step whose validation was not finished."""

    def __init__(self) -> None:
        self._validated_at = 0

    def on_validation_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        self._validated_at = trainer.global_step

    def on_train_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Validate if Lightning's loop would have."""
        batches = int(trainer.val_check_batch or 0)
        due = batches and trainer.global_step and batches_done(trainer) % batches == 0
        if due and self._validated_at != trainer.global_step:
            validate_now(trainer)

    def on_fit_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Log the validation after training at the last step, even if no step was left to train."""
        set_logged_step(trainer, trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {"validated_at": self._validated_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validated_at = state_dict["validated_at"]


class KeepConfig(pl.Callback):
    """Puts the resolved configuration into every checkpoint, as plain values that load without running code."""

    def __init__(self, config: dict[str, Any]):
        self.config = config

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["config"] = self.config


class LogMaxSkip(pl.Callback):
    """Logs the curriculum's greatest skip at the trainer's logging interval, if the data has a curriculum."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        """Log before the batch is counted as done."""
        data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
        if data.curriculum is not None and data.sampler is not None:
            pl_module.log("train/max_skip", float(data.sampler.max_skip))


class LogMemory(pl.Callback):
    """Logs the peak memory so far in MB, of the GPU or else of this process, at the trainer's logging interval.

    Lightning's `DeviceStatsMonitor` would log dozens of values, and on a CPU no peak of this process.
    """

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any) -> None:
        peak = _peak_bytes(pl_module.device)
        if peak is not None:
            pl_module.log("train/peak_memory_mb", peak / 2**20)


def _peak_bytes(device: torch.device) -> int | None:
    """None if the system does not report it (Windows without a GPU)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # of getrusage: bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class LogThroughput(pl.Callback):
    """Logs clips per second over all processes, without validation, at the trainer's logging interval.

    Lightning's `ThroughputMonitor` logs by device and needs a window of batches with a step count in each.
    """

    def __init__(self) -> None:
        self._clips, self._seconds, self._start = 0, 0.0, 0.0

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        self._start = self._start or time.perf_counter()

    def on_validation_start(self, *_: Any, **__: Any) -> None:
        self._stop()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Count clips; the wait for the next batch is included, since the clock continues."""
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


class TimeFirstBatch(pl.Callback):
    """Logs the time from the set-up of a training to the end of its first batch, including loader processes."""

    def __init__(self) -> None:
        self._start: float | None = None

    def on_train_start(self, *_: Any, **__: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        if self._start is not None:
            report_step("first batch", time.perf_counter() - self._start)
            self._start = None


class WarnIfLong(pl.Callback):
    """Estimates the time of a training from its first steps, and warns if it is long.

    The first step is excluded from the estimate: it waits for the data and prepares the device.

    Args:
        minutes: estimated duration above which the warning is printed.
        steps: number of steps to measure, after the first one.
    """

    def __init__(self, minutes: float, steps: int):
        self.minutes, self.steps = minutes, steps
        self._start: tuple[int, float] | None = None
        self._done = False

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Start the clock at the end of the first step, and estimate once after `steps` more."""
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
