"""Two processes on one machine: Lightning runs the command line again, and that must be the same run."""

import csv
from pathlib import Path

import pytest
import torch

from tests.end_to_end.tiny import tiny_train, vosmem

TWO = ["trainer=ddp_cpu", "trainer.devices=2", "trainer.max_steps=2", "validate_every_steps=2"]


def losses(run: Path) -> list[float]:
    (log,) = run.glob("csv/*/metrics.csv")
    with open(log) as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_two_processes(tmp_path):
    done = vosmem(*tiny_train(tmp_path, *TWO, "hydra.run.dir=two"), cwd=tmp_path)
    assert done.stdout.count("after training") == 1
    state = torch.load(tmp_path / "two" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 2
    assert state["PretrainData"] == {"epoch": 0, "done": 4}  # two clips a step, whoever took them


@pytest.mark.slow
def test_two_processes_inside_a_multirun(tmp_path):
    command, *overrides = tiny_train(tmp_path, *TWO, "seed=1,2", "hydra.sweep.dir=sweep")
    vosmem(command, "-m", *overrides, cwd=tmp_path)
    jobs = sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert jobs == ["0", "1"]
    for job, seed in (("0", 1), ("1", 2)):
        state = torch.load(tmp_path / "sweep" / job / "checkpoints" / "last.ckpt", weights_only=True)
        assert state["global_step"] == 2 and state["config"]["seed"] == seed
    assert not (tmp_path / "outputs").exists()  # no process started a run of its own
