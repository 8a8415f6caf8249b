"""A killed training resumes with the same samples, and on the CPU with the same weights bit for bit."""

import signal
import time

import numpy as np
import pytest

from tests.end_to_end.faults import STEPS, VALIDATE, arguments, assert_same_training, console, forked, last
from tests.end_to_end.test_main_training import write_videos
from tests.end_to_end.test_remn import VIDEOS
from tests.end_to_end.tiny import vosmem

KILL, TERM = int(signal.SIGKILL), int(signal.SIGTERM)
KILLS = 20
STAGES = {
    "pretrain": ["callbacks=ema", "optimizer=adam"],
    "main": ["train", "experiment=remn_main", "callbacks=ema", "curriculum.epochs=[0,1]", "curriculum.skips=[0,2]"],
    "gate": ["train", "experiment=remn_gate", "augmentation.num_frames=6", "phase.temperature.num_steps=6"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A training without faults."""
    folder = tmp_path_factory.mktemp("resume")
    done = console(*arguments("whole"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "before training" in done.stdout and "after training" in done.stdout
    return folder


def training(name: str, run: str, processes: int) -> list[str]:
    """A training of a stage, on embedded photographs or on two videos."""
    several = ["trainer=ddp_cpu", f"trainer.devices={processes}"] if processes > 1 else []
    if name == "pretrain":
        return arguments(run, *STAGES[name], *several)
    videos = [o for o in VIDEOS if not o.startswith(("trainer.max", "validate_every", "curriculum", "data.samples"))]
    common = [o for o in arguments(run)[3:] if o.startswith(("trainer.max", "validate", "callbacks.last", "data.samp"))]
    more = ["+callbacks.fault={_target_: tests.end_to_end.faults.SignalAt}", "initial_weights=null", "scheduler=cosine"]
    schedule = ["curriculum.epochs=[0]", "curriculum.skips=[1]"] if name == "gate" else []
    return [*STAGES[name], *videos, *schedule, *common, *more, *several, f"hydra.run.dir={run}"]


@pytest.mark.parametrize(
    ("hook", "step"),
    [("batch", 3), *(pytest.param(*at, marks=pytest.mark.slow) for at in (("batch", VALIDATE), ("end", STEPS)))],
)
def test_sigkill_and_resume_equal_an_uninterrupted_run(folder, hook, step):
    run = f"{hook}_{step}"
    assert console(*arguments(run), cwd=folder, fault=f"{hook} {step} {KILL}").returncode == -KILL
    assert last(folder / run)["global_step"] == step
    assert console("train", f"resume={run}", cwd=folder).returncode == 0
    assert_same_training(folder / run, folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", STAGES)
def test_every_stage_goes_on(tmp_path, name, processes):
    """Killed; and asked to stop in the second process, in the middle of a step."""
    write_videos(tmp_path / "videos")
    assert console(*training(name, "whole", processes), cwd=tmp_path).returncode == 0
    for run, fault, status in (("killed", f"batch 3 {KILL}", -KILL), ("asked", f"loss 3 {TERM} {processes - 1}", 143)):
        done = console(*training(name, run, processes), cwd=tmp_path, fault=fault)
        assert done.returncode == status, done.stderr[-3000:]
        assert last(tmp_path / run)["global_step"] == (3 if run == "killed" else 4)
        done = console("train", f"resume={run}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
        assert_same_training(tmp_path / run, tmp_path / "whole")


@pytest.mark.slow
def test_killed_at_any_moment(folder):
    start = time.monotonic()
    assert forked(*arguments("timed"), cwd=folder) == 0
    assert_same_training(folder / "timed", folder / "whole")
    moments = (time.monotonic() - start) * np.random.default_rng(0).random(KILLS)
    killed = 0
    for number, moment in enumerate(moments):
        run = f"moment{number}"
        killed += forked(*arguments(run), cwd=folder, kill_after=moment) == -KILL
        checkpoints = folder / run / "checkpoints"
        begun = any((checkpoints / name).is_file() for name in ("last.ckpt", "previous.ckpt"))
        again = ["train", f"resume={run}"] if begun else arguments(run)
        assert forked(*again, cwd=folder) == 0
        assert_same_training(folder / run, folder / "whole")
    assert killed > KILLS / 2


def test_the_config_in_a_checkpoint_is_plain(folder):
    whole = last(folder / "whole")
    assert type(whole["config"]) is dict and type(whole["config"]["model"]) is dict
    assert whole["config"]["trainer"]["max_steps"] == STEPS


def test_file_names_can_be_overrides(folder):
    names = [path.relative_to(folder).as_posix() for path in (folder / "whole").rglob("*")]
    assert not [name for name in names if "=" in name or "&" in name]


def test_a_folder_that_is_no_run(tmp_path):
    done = vosmem("train", f"resume={tmp_path}", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "not the folder of a run" in done.stderr
