"""A killed training goes on where it was: the same samples, and on the CPU the same weights bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.end_to_end.tiny import tiny_train, vosmem

STEPS = 8


def overrides(folder: Path, run: str, *extra: str) -> list[str]:
    return tiny_train(
        folder,
        f"trainer.max_steps={STEPS}",
        "validate_every_steps=5",
        "callbacks.last.every_n_train_steps=1",
        "data.samples_per_epoch=10",
        "scheduler=cosine",
        f"hydra.run.dir={run}",
        *extra,
    )


def start_and_kill(folder: Path, run: str, at_step: int) -> int:
    """SIGKILL as soon as a checkpoint of that step or a later one is there; returns its step."""
    program = Path(sys.executable).with_name("vosmem")
    process = subprocess.Popen(
        [program, *overrides(folder, run)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    last, deadline = folder / run / "checkpoints" / "last.ckpt", time.monotonic() + 120
    step = 0
    while step < at_step and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
        if last.is_file():
            step = torch.load(last, weights_only=True)["global_step"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return step


def final(folder: Path, run: str) -> dict:
    return torch.load(folder / run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("resume")
    vosmem(*overrides(folder, "whole"), cwd=folder)
    return folder, final(folder, "whole")


# In the middle of the first epoch, and at its end.
@pytest.mark.parametrize("at_step", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_sigkill_and_resume_equal_an_uninterrupted_run(uninterrupted, at_step):
    folder, whole = uninterrupted
    run = f"killed{at_step}"
    killed_at = start_and_kill(folder, run, at_step)
    assert at_step <= killed_at < STEPS
    done = vosmem("train", f"resume={run}", cwd=folder)
    resumed = final(folder, run)
    assert resumed["global_step"] == whole["global_step"] == STEPS
    differing = [
        name for name, value in whole["state_dict"].items() if not torch.equal(value, resumed["state_dict"][name])
    ]
    assert differing == []
    assert "before training" in done.stdout and "after training" in done.stdout


def test_the_config_in_a_checkpoint_is_plain(uninterrupted):
    _, whole = uninterrupted
    assert type(whole["config"]) is dict and type(whole["config"]["model"]) is dict
    assert whole["config"]["trainer"]["max_steps"] == STEPS


def test_file_names_can_be_overrides(uninterrupted):
    folder, _ = uninterrupted
    names = [path.relative_to(folder).as_posix() for path in (folder / "whole").rglob("*")]
    assert not [name for name in names if "=" in name or "&" in name]


def test_a_folder_that_is_no_run(tmp_path):
    done = vosmem("train", f"resume={tmp_path}", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "not the folder of a run" in done.stderr
