"""Each debug config of a training."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.faults import train
from tests.end_to_end.tiny import tiny_train

SMALL = ["model.backbone=resnet10", "optimizer=adamw"]
FEW = [*SMALL, "calibration.batches=1", "callbacks.progress.refresh_rate=0", "datamodule.num_workers=0"]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Train in a folder; return the exit status, the output, and the log of the run."""

    def call(*args: str) -> tuple[int, str, pd.DataFrame]:
        own = [*tiny_train(tmp_path, *FEW), "hydra.run.dir=run", *args]
        own = [override for override in own if override.partition("=")[0] not in DEBUGGED]
        status = train(*own, cwd=tmp_path, monkeypatch=monkeypatch)
        logs = sorted(Path(tmp_path, "run", "csv").rglob("metrics.csv"))
        printed = "".join(capfd.readouterr())
        return status, printed, pd.read_csv(logs[-1]) if logs else pd.DataFrame()

    return call


DEBUGGED = {"trainer.log_every_n_steps", "calibration.batches"}  # what `debug` sets: a typed value would win


def sequences_scored(monkeypatch) -> list[str]:
    """Collects the names of the validated sequences."""
    from vosmem.training import modules

    seen, evaluate = [], modules.evaluate_sequence

    def noting(sequence, *args):
        seen.append(sequence.name)
        return evaluate(sequence, *args)

    monkeypatch.setattr(modules, "evaluate_sequence", noting)
    return seen


def test_one_step(run, monkeypatch, tmp_path):
    seen = sequences_scored(monkeypatch)
    status, printed, log = run("debug=one_step", "experiment=pretrain_embedded", "calibration.teacher=null")
    assert status == 0, printed[-3000:]
    assert log["train/loss"].notna().sum() == 1 and len(seen) == 1
    assert list(json.loads((tmp_path / "run" / "scores.json").read_text())) == ["after training"], "though asked for"


def test_limit(run, monkeypatch):
    seen = sequences_scored(monkeypatch)
    status, printed, log = run("debug=limit", "datamodule.sequences.count=3")
    assert status == 0, printed[-3000:]
    assert log["train/loss"].notna().sum() == 10
    assert len(seen) == 3 * 2 and len(set(seen)) == 2, "two validations in training and one at its end"


def test_overfit_stops_when_the_loss_has_fallen(run):
    status, printed, log = run("debug=overfit", "callbacks.until.share=0.9", "optimizer.lr=0.001")
    assert status == 0, printed[-3000:]
    losses = log["train/loss"].dropna().to_numpy()
    assert 1 < len(losses) < 200
    assert losses[-1] <= 0.95 * losses[0]


def test_overfit_says_so_when_the_loss_does_not_fall(run):
    status, printed, _ = run("debug=overfit", "optimizer.lr=1e-12", "trainer.max_steps=2")
    assert status == 2
    assert "the loss of one batch fell from" in printed and "in 2 steps, not to 50% of it" in printed


@pytest.mark.slow  # the profiler
def test_profile_leaves_a_table_and_a_trace(run, tmp_path):
    status, printed, _ = run("debug=profile")
    assert status == 0, printed[-3000:]
    folder = tmp_path / "run" / "profile"
    assert any("aten::" in path.read_text() for path in folder.glob("*.txt"))
    (trace, *_) = folder.glob("*.json")
    assert json.loads(trace.read_text())["traceEvents"]
