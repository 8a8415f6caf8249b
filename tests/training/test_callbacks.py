"""Callbacks that prepare a training."""

from unittest.mock import MagicMock

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging

from vosmem.commands.common import compose, make
from vosmem.commands.training import make_trainer
from vosmem.training.calibration import CalibrateNetwork
from vosmem.training.callbacks import MoveToDevice


def test_the_network_is_on_its_device_before_it_is_calibrated_and_copied(tmp_path):
    """Averaged weights stay where the weights were when they were copied."""
    overrides = ("trainer=cpu", "callbacks=ema", "logger=csv", "trainer.max_steps=1", f"paths.output_dir={tmp_path}")
    config = compose("train", *overrides, "datamodule=embedded")
    trainer = make_trainer(config, {}, make(config.datamodule))
    order = [trainer.callbacks.index(each) for kind in (MoveToDevice, CalibrateNetwork, EMAWeightAveraging)
             for each in trainer.callbacks if isinstance(each, kind)]  # fmt: skip
    assert len(order) == 3 and order == sorted(order)


def test_the_network_moves_in_set_up():
    module = pl.LightningModule()
    module.line = torch.nn.Linear(1, 1)
    trainer = MagicMock(spec=pl.Trainer)
    trainer.strategy.root_device = torch.device("meta")
    MoveToDevice().setup(trainer, module)
    assert module.line.weight.device.type == "meta"
