"""SLURM with two nodes on this machine: a sweep, a sweep with a killed job, and a run on both nodes."""

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.tiny import tiny_train, vosmem

MISSING = [name for name in ("slurmctld", "slurmd", "srun", "munged") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} missing: apt-get install slurmctld slurmd slurm-client munge"),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="SLURM's daemons are started as root"),
]
SCRIPT = Path(__file__).with_name("slurm")
ROOM = ["hydra.launcher.partition=local", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2"]
SUBMIT = ["launcher=submitit_slurm", *ROOM]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment of those that submit."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([SCRIPT, "start", folder], check=True, timeout=60)
    yield {
        "SLURM_CONF": f"{folder}/slurm.conf",
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "MASTER_ADDR": "127.0.0.1",  # the nodes' names are no hosts'
    }
    subprocess.run([SCRIPT, "stop", folder], check=True, timeout=60)


def losses(run: Path) -> list[float]:
    with open(run / "metrics.csv") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_sweep_of_two_jobs_writes_its_table(slurm, tmp_path):
    steps = ("trainer.max_steps=1", "validate_every_steps=1", "seed=1,2")
    command, *overrides = tiny_train(tmp_path, *steps, *SUBMIT, "hydra.sweep.dir=sweep")
    vosmem(command, "-m", *overrides, cwd=tmp_path, **slurm)
    assert list(pd.read_csv(tmp_path / "sweep" / "table.csv")["seed"]) == [1, 2]


def test_killed_job_ends_the_sweep_and_keeps_other_results(slurm, tmp_path):
    """The first job goes on for ever until it is killed; the scores of the second one are in the table."""
    swept = ("trainer.max_steps=100000,1", "validate_every_steps=1", "datamodule.num_workers=0")  # one process to kill
    command, *overrides = tiny_train(tmp_path, *swept, *SUBMIT)
    program = Path(sys.executable).with_name("vosmem")
    process = subprocess.Popen(
        [program, command, "-m", *overrides, "hydra.sweep.dir=sweep"],
        cwd=tmp_path,
        env={**os.environ, **slurm, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    began = time.monotonic()
    logs = lambda job: list(tmp_path.glob(f"sweep/{job}/csv/*/metrics.csv"))  # noqa: E731
    while not (logs(0) and (tmp_path / "sweep" / "1" / "overlay.png").is_file()):
        assert process.poll() is None and time.monotonic() - began < 300
        time.sleep(0.2)
    asked = subprocess.check_output(["scontrol", "-o", "show", "jobs"], env={**os.environ, **slurm}, text=True)
    running = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in asked.splitlines()]
    (endless,) = [job["JobId"] for job in running if job["JobState"] == "RUNNING" and job["ArrayTaskId"] == "0"]
    subprocess.run(["scancel", "--signal=KILL", "--full", endless], env={**os.environ, **slurm}, check=True)
    assert process.wait(timeout=180) == 2  # and does not hang
    assert "vosmem: a job of the sweep died (" in process.stderr.read()
    table = pd.read_csv(tmp_path / "sweep" / "table.csv")
    assert table["after training"].notna().tolist() in ([True], [False, True])


def test_run_on_two_nodes_equals_that_of_one_process(slurm, tmp_path):
    steps = (
        "datamodule.samples_per_epoch=12",
        "datamodule.batch_size=4",
        "trainer.max_steps=3",
        "validate_every_steps=3",
    )
    training = (*steps, "trainer.precision=64-true")
    vosmem(*tiny_train(tmp_path, *training, "datamodule.device_batch_size=4", "hydra.run.dir=single"), cwd=tmp_path)
    program = Path(sys.executable).with_name("vosmem")
    together = tiny_train(tmp_path, *training, "datamodule.device_batch_size=2", "trainer=ddp_cpu")
    environment = {**os.environ, **slurm, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    srun = ["srun", "--nodes=2", "--ntasks-per-node=1"]
    subprocess.run([*srun, program, *together], cwd=tmp_path, env=environment, check=True, timeout=300)
    (run,) = (tmp_path / "outputs" / "train").iterdir()
    assert run.name.startswith("slurm_") and len(losses(run)) == 3
    assert losses(run) == pytest.approx(losses(tmp_path / "single"), rel=0, abs=1e-6)
