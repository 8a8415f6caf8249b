"""A long training warns once, with a setting that makes it shorter."""

from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch

from vosmem.shapes import Clip
from vosmem.training import callbacks
from vosmem.training.callbacks import WarnIfLong

BATCH = Clip(
    torch.zeros(1, 2, 3, 16, 16, dtype=torch.uint8), torch.zeros(1, 2, 16, 16), torch.ones(1, dtype=torch.long)
)


def trainer_of(is_global_zero: bool) -> Mock:
    return Mock(spec=pl.Trainer, global_step=0, max_steps=100, is_global_zero=is_global_zero)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(10.0, None), (30.0, "94 steps will take about 47 minutes"), (7.0, None)]
)
def test_a_long_training_warns_with_a_shorter_setting(monkeypatch, capsys, seconds, expected):
    clock = [100.0]
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: clock[0])
    trainer = trainer_of(True)
    callback = WarnIfLong(minutes=20.0, steps=5)
    clock[0] += 1000  # the first step waits for the data
    for trainer.global_step in range(1, 20):
        callback.on_train_batch_end(trainer, Mock(spec=pl.LightningModule), None, BATCH, 0)
        clock[0] += seconds
    message = capsys.readouterr().err
    if expected is None:
        assert message == ""
    else:
        assert message.count("vosmem:") == 1 and expected in message and "trainer.max_steps=42" in message


def test_only_one_process_warns(monkeypatch, capsys):
    clock = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: next(clock))
    trainer = trainer_of(False)
    callback = WarnIfLong(minutes=20.0, steps=1)
    for trainer.global_step in range(1, 5):
        callback.on_train_batch_end(trainer, Mock(spec=pl.LightningModule), None, BATCH, 0)
    assert capsys.readouterr().err == ""
