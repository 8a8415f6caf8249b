"""Callbacks for the start of a training: calibration, and the time of each stage."""

import time
from itertools import islice
from typing import Any

import pytorch_lightning as pl

from vosmem.data.sampling.clip_data import ClipData
from vosmem.shapes import Clip
from vosmem.startup import report_stage, timed
from vosmem.training.calibration import Calibration, calibrate
from vosmem.training.modules import PretrainModule


class CalibrateNetwork(pl.Callback):
    """Calibrates a network when its training is set up: after the check of the data, before its weights are copied.

    Has to come before callbacks that keep an average of the weights.

    Args:
        calibration: what is set from training data.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Calibrate, in every process alike."""
        if stage != "fit" or not self.calibration.batches:
            return
        assert isinstance(pl_module, PretrainModule)
        data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
        with timed("calibration"):
            batches = islice(data.calibration_dataloader(), self.calibration.batches)
            calibrate(pl_module.network, batches, self.calibration)


class TimeFirstBatch(pl.Callback):
    """Logs how long a training takes from its set-up to the end of its first batch, loader processes included."""

    def __init__(self) -> None:
        self._start: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Log the first time."""
        if self._start is not None:
            report_stage("first batch", time.perf_counter() - self._start)
            self._start = None
