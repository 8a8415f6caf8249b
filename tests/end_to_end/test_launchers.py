"""Sweeps whose jobs run in other processes write their table and report errors as in one process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.conftest import write_davis
from tests.end_to_end.tiny import tiny_train, vosmem

COPIED = ["evaluate", "-m", "method=copy_first_mask", "hydra.sweep.dir=sweep"]


@pytest.mark.parametrize("launcher", ["joblib", pytest.param("submitit_local", marks=pytest.mark.slow)])
def test_a_sweep_in_other_processes_ends_with_its_table(tmp_path, launcher):
    write_davis(tmp_path / "davis", {"one": 1})
    swept = f"eval_set.root={tmp_path}/davis,{tmp_path}/none"
    done = vosmem(*COPIED, f"launcher={launcher}", swept, "eval_set=davis16,davis17", cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("vosmem: ") and "none" in done.stderr
    table = pd.read_csv(tmp_path / "sweep" / "table.csv")
    assert list(table["eval_set"]) == ["davis16", "davis17"] and table["J&F"].between(1, 100).all()
    assert "| davis17 |" in done.stdout and (tmp_path / "sweep" / "plot.png").is_file()


@pytest.mark.slow
def test_a_distributed_job_of_a_launcher_is_that_job(tmp_path):
    """Lightning starts its second process from the first one's command line, which is the launcher's there."""
    steps = ("trainer=ddp_cpu", "trainer.max_steps=1", "validate_every_steps=1")
    command, *overrides = tiny_train(tmp_path, *steps, "launcher=submitit_local", "hydra.sweep.dir=sweep")
    vosmem(command, "-m", *overrides, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()) == [".submitit", "0"]
    assert (tmp_path / "sweep" / "0" / "checkpoints" / "last.ckpt").is_file() and not (tmp_path / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_job_that_is_killed_ends_the_sweep_in_one_line(tmp_path, launcher):
    program = Path(sys.executable).with_name("vosmem")
    command, *overrides = tiny_train(
        tmp_path, "trainer.max_steps=100000", f"launcher={launcher}", "hydra.sweep.dir=sweep"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [program, command, "-m", *overrides], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("sweep/0/csv/*/metrics.csv")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    started = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in started if any("_submit" in word or "popen_loky" in word for word in child.cmdline())]
    assert workers
    for worker in workers:
        worker.kill()
    assert process.wait(timeout=120) == 2
    assert "vosmem: a job of the sweep died (" in process.stderr.read()
