"""Main training on a user's own folder, from another run's weights, configured only by overrides."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.end_to_end.tiny import TINY, tiny_train, vosmem

MAIN = [
    "train", "experiment=main", "datamodule=folder", "datamodule.root=videos", "eval_set=folder",
    *[override for override in TINY if not override.startswith(("augmentation", "datamodule.sequences"))],
    "augmentation.size=32", "augmentation.min_object_pixels=16", "datamodule.samples_per_epoch=6",
    "trainer.max_steps=6",
    "validate_every_steps=3", "curriculum=paper", "curriculum.epochs=[0,1]", "curriculum.skips=[0,2]",
]  # fmt: skip


def write_videos(root: Path) -> None:
    """Two videos of a bright block that moves, in natural order of odd names; one object comes later."""
    rng = np.random.default_rng(0)
    for name in ("first", "second"):
        for folder in ("JPEGImages", "Annotations"):
            (root / folder / name).mkdir(parents=True)
        ground = rng.integers(0, 100, (40, 56, 3), dtype=np.uint8)
        for t in range(9):
            frame, labels = ground.copy(), np.zeros((40, 56), np.uint8)
            labels[8:28, 4 + 2 * t : 24 + 2 * t] = 3
            if t > 4:
                labels[30:38, 2:30] = 9
            frame[labels > 0] += 120
            Image.fromarray(frame).save(root / "JPEGImages" / name / f"{t}.png")
            Image.fromarray(labels).save(root / "Annotations" / name / f"{t}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("main")
    write_videos(folder / "videos")
    vosmem(*tiny_train(folder, "trainer.max_steps=2", "validate_every_steps=2", "hydra.run.dir=first"), cwd=folder)
    vosmem(
        *MAIN, "initial_weights=first/checkpoints/last.ckpt", "callbacks=ema", "phase.detach_masks=true",
        "datamodule.reversal=0.5", "hydra.run.dir=second", cwd=folder,
    )  # fmt: skip
    return folder


def checkpoint(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def test_it_trains_and_validates_with_j_and_f(folder):
    (log,) = (folder / "second").glob("csv/*/metrics.csv")
    with open(log) as file:
        rows = list(csv.DictReader(file))
    assert sum(bool(row["train/loss"]) for row in rows) == 6
    assert all(0 <= float(row["val/J&F"]) <= 1 for row in rows if row["val/J&F"])


def test_the_curriculum_is_in_the_log(folder):
    (log,) = (folder / "second").glob("csv/*/metrics.csv")
    with open(log) as file:
        skips = [float(row["train/max_skip"]) for row in csv.DictReader(file) if row["train/max_skip"]]
    assert skips == [0, 0, 0, 2, 2, 2]


def test_it_starts_from_the_weights_of_the_other_run(folder):
    """With a learning rate of 0 the weights stay those of the checkpoint; no ImageNet weights are loaded."""
    vosmem(
        *MAIN, "initial_weights=first/checkpoints/last.ckpt", "optimizer.lr=0", "trainer.max_steps=3",
        "optimizer.weight_decay=0", "model.weights=not_there.pth", "hydra.run.dir=still", cwd=folder,
    )  # fmt: skip
    before, after = (checkpoint(folder / run / "checkpoints" / "last.ckpt") for run in ("first", "still"))
    assert all(torch.equal(value, after["state_dict"][name]) for name, value in before["state_dict"].items())


def test_checkpoints_hold_the_running_average(folder):
    state = checkpoint(folder / "second" / "checkpoints" / "best.ckpt")
    averaged, current = state["state_dict"], state["current_model_state"]
    assert averaged.keys() == current.keys()
    assert any(not torch.equal(value, current[name]) for name, value in averaged.items())


@pytest.mark.slow
def test_the_papers_table_of_stages(folder):
    """Each phase by itself, both, and a network of another data set; the config requests the sweep."""
    done = vosmem(
        *MAIN, "sweep=table4", "pretrained=first/checkpoints/last.ckpt", "scheduler=cosine",
        "cross_trained=second/checkpoints/last.ckpt", "hydra.sweep.dir=table4", cwd=folder,
    )  # fmt: skip
    with open(folder / "table4" / "table.csv") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["pretrain_only", "main_only", "full", "cross_validation"]
    assert "| cross_validation |" in done.stdout
    states = [checkpoint(folder / "table4" / str(job) / "checkpoints" / "last.ckpt") for job in range(4)]
    assert [state["global_step"] for state in states] == [0, 6, 6, 0]
    first = checkpoint(folder / "first" / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, states[0]["state_dict"][name]) for name, value in first.items())


def test_weights_of_another_network_are_refused(folder):
    done = vosmem(*MAIN, "initial_weights=first/checkpoints/last.ckpt", "model.key_channels=4", cwd=folder, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "initial_weights" in done.stderr


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("datamodule.root=missing", "'missing' not found"),
        ("initial_weights=missing.ckpt", "missing.ckpt"),
        ("augmentation.num_frames=12", "video first: 9 frames with masks, a clip takes 12"),
    ],
)
def test_bad_input(folder, override, named):
    done = vosmem(*MAIN, override, cwd=folder, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr
