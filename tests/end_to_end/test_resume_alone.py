"""A run resumes from only its folder: moved, without its initial weights, for more steps, in the same W&B run."""

import json
import shutil

import pandas as pd
import pytest
import torch
import torchvision

from tests.end_to_end.faults import last, train
from tests.end_to_end.tiny import tiny_train
from tests.wandb_log import run_record

TRUNKS = ["weights", "value_weights"]


def arguments(run, *extra):
    """A training of one step, of a REMN on the smallest trunks that have files of weights."""
    own = ["model=remn_small", "scheduler=cosine", "logger=wandb"]
    few = ["trainer.max_steps=1", "calibration.batches=0", "callbacks.progress.refresh_rate=0", f"hydra.run.dir={run}"]
    return tiny_train(None, *own, *few, *extra)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Two runs that were moved and went on, the files that they began with gone; what each call printed."""
    folder = tmp_path_factory.mktemp("single")
    trunk = folder / "resnet18.pth"
    torch.save(torchvision.models.resnet18().state_dict(), trunk)
    printed = {}

    def run(name, *args):
        with pytest.MonkeyPatch.context() as patch, (folder / name).open("w") as output:
            patch.setenv("WANDB_SILENT", "true")
            patch.setattr("sys.stdout", output)
            patch.setattr("sys.stderr", output)
            status = train(*args, cwd=folder, monkeypatch=patch)
        printed[name] = (folder / name).read_text()
        assert status == 0, printed[name][-3000:]

    run("1", *arguments("a", *(f"model.{key}={trunk}" for key in TRUNKS)))
    run("2", *arguments("b", f"initial_weights={folder}/a/checkpoints/last.ckpt"))
    shutil.copy(folder / "a" / "checkpoints" / "last.ckpt", folder / "a_before.ckpt")
    trunk.unlink()
    (folder / "moved").mkdir()
    for name in "ab":
        (folder / name).rename(folder / "moved" / name)
    run("3", "train", "resume=moved/a", "trainer.max_steps=4")
    run("4", "train", "resume=moved/b", "trainer.max_steps=2")
    run("5", "train", "resume=moved/a")
    return folder, printed


def test_neither_weights_nor_the_old_folder_are_asked_for(moved):
    folder, _ = moved
    assert last(folder / "moved" / "a")["global_step"] == 4
    assert last(folder / "moved" / "b")["global_step"] == 2
    assert not (folder / "a").exists() and not (folder / "b").exists()


def test_the_best_score_so_far_is_kept_and_no_folder_stands_in_the_state(moved):
    folder, printed = moved
    before, after = (torch.load(path, weights_only=True)["callbacks"] for path in paths(folder))
    (name,) = (name for name in before if "val_j_and_f" in name)
    assert "dirpath has changed" not in printed["3"]
    assert str(folder) not in repr(before) + repr(after)
    assert after[name]["best_model_path"] in ("", "best.ckpt")


def paths(folder):
    return folder / "a_before.ckpt", folder / "moved" / "a" / "checkpoints" / "last.ckpt"


def test_more_steps_follow_the_longer_schedule(moved):
    folder, _ = moved
    rates = pd.read_csv(folder / "moved" / "a" / "metrics.csv").filter(like="lr-").dropna()
    schedule = torch.load(paths(folder)[1], weights_only=True)["lr_schedulers"][0]
    assert schedule["num_steps"] == 4
    assert (rates[1:4] > 0).all(axis=None), rates


def test_a_resumed_run_is_the_same_run_of_wandb(moved):
    folder, _ = moved
    logs = sorted((folder / "moved" / "a" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(logs) == 2, "a finished run logs nothing more"
    records = [run_record(path) for path in logs]
    assert len({record.run_id for record in records}) == len({record.run_group for record in records}) == 1
    assert json.loads((folder / "moved" / "a" / "wandb.json").read_text())["id"] == records[0].run_id
    other = json.loads((folder / "moved" / "b" / "wandb.json").read_text())["id"]
    assert other != records[0].run_id


def test_a_finished_run_says_so_at_once(moved):
    _, printed = moved
    assert "is finished at step 4" in printed["5"]
    assert "after training" in printed["5"] and "overlay.png" in printed["5"]
    assert "building the network" not in printed["5"]


def test_resuming_within_an_epoch_warns_of_nothing(moved):
    _, printed = moved
    assert "resumable" not in printed["3"] + printed["4"]


def test_every_stage_of_the_start_is_logged_with_its_seconds(moved):
    _, printed = moved
    new = ["reading the lists of data", "building the network", "check of the training data (headers", "first batch"]
    for call, steps in {"1": new, "2": [*new, "loading weights"], "3": ["reading the checkpoint"]}.items():
        lines = [line for line in printed[call].splitlines() if "start-up" in line]
        for step in steps:
            (line,) = (line for line in lines if f"start-up: {step}" in line)
            assert float(line.removesuffix(" s").rsplit(" ", 1)[1]) >= 0
    assert "check of the training data" not in printed["3"], "none on resume"
    assert "calibration" not in printed["1"] and "scoring" not in printed["1"]
