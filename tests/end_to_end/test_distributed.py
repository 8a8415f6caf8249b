"""Several processes share the folder of one run and give its numbers, whatever launches them."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.end_to_end.tiny import tiny_train, vosmem

TWO = ["trainer=ddp_cpu", "trainer.devices=2", "trainer.max_steps=2", "validate_every_steps=2"]


def losses(run: Path) -> list[float]:
    (log,) = run.glob("csv/*/metrics.csv")
    with open(log) as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


# One sequence to validate on: of two processes, one has none.
FLOAT64 = [
    *("datamodule.samples_per_epoch=12", "datamodule.batch_size=4", "datamodule.sequences.count=1"),
    *("trainer.precision=64-true", "trainer.max_steps=5"),
]
ONE_BY_FOUR = [*FLOAT64, "validate_every_steps=5", "datamodule.device_batch_size=4"]
TWO_BY_TWO = [*FLOAT64, "validate_every_steps=5", "datamodule.device_batch_size=2", "trainer=ddp_cpu"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """A run of one process, in float64: five steps of four clips."""
    folder = tmp_path_factory.mktemp("single")
    vosmem(*tiny_train(folder, *ONE_BY_FOUR, "hydra.run.dir=run"), cwd=folder)
    return folder / "run"


def assert_the_same_run(one: Path, other: Path) -> None:
    assert len(losses(one)) == 5 and losses(one) == pytest.approx(losses(other), rel=0, abs=1e-6)
    first, second = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (one, other))
    assert first["PretrainData"] == second["PretrainData"] == {"epoch": 1, "done": 8}  # five steps of four clips
    for name, value in first["state_dict"].items():
        torch.testing.assert_close(second["state_dict"][name], value, rtol=0, atol=1e-6)


def test_two_processes_of_two_clips_are_one_of_four(tmp_path, alone):
    """Calibration, losses and weights; the curve is the mean over the processes."""
    done = vosmem(*tiny_train(tmp_path, *TWO_BY_TWO, "hydra.run.dir=run"), cwd=tmp_path)
    assert done.stdout.count("after training") == 1 and "recommended" not in done.stderr
    assert_the_same_run(alone, tmp_path / "run")


@pytest.mark.engines
def test_two_machines_under_torchrun_are_one_run_in_one_folder(tmp_path, alone):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    program, training = Path(sys.executable).with_name("vosmem"), tiny_train(tmp_path, *TWO_BY_TWO)
    torchrun = ["torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
    command = [sys.executable, "-m", *torchrun, f"--master-port={port}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    machines = [
        subprocess.Popen([*command, f"--node-rank={rank}", program, *training], cwd=tmp_path, env=environment)
        for rank in (0, 1)
    ]
    assert [machine.wait(timeout=200) for machine in machines] == [0, 0]
    (run,) = (tmp_path / "outputs" / "train").iterdir()
    assert_the_same_run(alone, run)
    assert {path.name for path in run.glob("*.log")} == {"train.log", "rank_1.log"}


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
