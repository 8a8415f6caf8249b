"""A training that would be long says so once, with what makes it shorter."""

from types import SimpleNamespace

import pytest

from vosmem.training import progress
from vosmem.training.progress import WarnIfLong


@pytest.mark.parametrize(
    ("seconds", "expected"), [(10.0, None), (30.0, "94 steps will take about 47 minutes"), (7.0, None)]
)
def test_a_long_training_says_how_to_do_less(monkeypatch, capsys, seconds, expected):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    trainer = SimpleNamespace(global_step=0, max_steps=100, is_global_zero=True)
    callback = WarnIfLong(minutes=20, steps=5)
    clock[0] += 1000  # the first step waits for the data
    for trainer.global_step in range(1, 20):
        callback.on_train_batch_end(trainer, None, None, None, 0)
        clock[0] += seconds
    said = capsys.readouterr().err
    if expected is None:
        assert said == ""
    else:
        assert said.count("vosmem:") == 1 and expected in said and "trainer.max_steps=42" in said


def test_only_one_process_says_so(monkeypatch, capsys):
    clock = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    trainer = SimpleNamespace(global_step=0, max_steps=100, is_global_zero=False)
    callback = WarnIfLong(minutes=20, steps=1)
    for trainer.global_step in range(1, 5):
        callback.on_train_batch_end(trainer, None, None, None, 0)
    assert capsys.readouterr().err == ""
