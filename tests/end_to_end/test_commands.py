"""The console script as users call it: its files, and its messages about bad input."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.conftest import write_davis, write_images
from tests.end_to_end.tiny import in_process, tiny_train, vosmem


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data set, images, and a trained tiny network."""
    folder = tmp_path_factory.mktemp("commands")
    write_davis(folder / "davis", {"one": 1, "two": 2})
    write_images(folder / "images")
    in_process(*tiny_train(folder, "trainer.max_steps=3", "validate_every_steps=2", "hydra.run.dir=run"), cwd=folder)
    return folder


def test_help_comes_at_once(tmp_path):
    start = time.monotonic()
    done = vosmem("--help", cwd=tmp_path)
    assert time.monotonic() - start < 1
    for command in ("train", "evaluate", "data", "score"):
        assert command in done.stdout
    assert vosmem("--version", cwd=tmp_path).stdout.startswith("vosmem ")


@pytest.mark.parametrize("show", ["images", "clips", "rendered"])
def test_a_gallery_of_own_images(folder, show):
    done = in_process(
        "data", "gallery", f"show={show}", "train_images=folder", "paths.images=images", "augmentation.size=32",
        "count=2",
        "scene.height=32", "scene.width=48", f"hydra.run.dir=gallery_{show}", cwd=folder,
    )  # fmt: skip
    sheet = folder / f"gallery_{show}" / "gallery.png"
    assert str(sheet) in done.stdout
    assert Image.open(sheet).height > 160


def test_rendered_videos_can_be_evaluated(folder):
    in_process(
        "data", "render", "output=rendered", "train_images=folder", "paths.images=images", "count=2", "scene.height=48",
        "scene.width=64", "scene.num_frames=4", cwd=folder,
    )  # fmt: skip
    in_process(
        "evaluate", "method=copy_first_mask", "eval_set=davis17", "eval_set.root=rendered", "hydra.run.dir=copied",
        cwd=folder,
    )  # fmt: skip
    outcome = json.loads((folder / "copied" / "results.json").read_text())
    assert sorted(outcome["masks_used"]) == ["rendered_0000", "rendered_0001"]
    again = in_process("data", "render", "output=rendered", cwd=folder, check=False)
    assert again.returncode == 2 and again.stderr.count("\n") == 1 and "holds a data set already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["galery"], "'galery'"),
        (["gallery", "show=all"], "show='all'"),
        (["gallery", "train_images=folder"], "not found"),
    ],
)
def test_bad_input_of_data_commands(folder, arguments, named):
    done = in_process("data", *arguments, cwd=folder / "davis", check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr


def test_a_training_leaves_everything(folder):
    for name in (
        "config.yaml",
        "metrics.csv",
        "curves.png",
        "overlay.png",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ):
        assert (folder / "run" / name).stat().st_size > 0, name
    scores = json.loads((folder / "run" / "scores.json").read_text())
    assert list(scores) == ["after training"]
    metrics = pd.read_csv(folder / "run" / "metrics.csv")
    assert metrics["train/loss"].notna().sum() == 3
    assert metrics["val/J&F"].notna().sum() >= 1


SCORE = ["score", "davis/Annotations/480p", "evaluated/masks"]


def test_evaluate_and_score_agree(folder):
    done = in_process(
        "evaluate", "checkpoint=run/checkpoints/last.ckpt", "eval_set=davis17", "eval_set.root=davis", "device=cpu",
        "hydra.run.dir=evaluated", cwd=folder,
    )  # fmt: skip
    assert "masks used: 00000" in done.stdout
    outcome = json.loads((folder / "evaluated" / "results.json").read_text())
    assert list(outcome)[:3] == ["J&F", "J", "F"]
    assert outcome["J&F"] == pytest.approx((outcome["J"] + outcome["F"]) / 2)
    assert outcome["num_objects"] == 3
    assert outcome["masks_used"] == {"one": ["00000"], "two": ["00000"]}
    assert (
        set(outcome["timing"]) >= {"frames_per_second", "median_ms", "p95_ms"} and outcome["memory"]["peak_bank_mb"] > 0
    )
    rows = pd.read_csv(folder / "evaluated" / "results.csv")
    assert list(zip(rows["sequence"], rows["object"], strict=True)) == [("one", 1), ("two", 1), ("two", 2)]

    mask = Image.open(folder / "evaluated" / "masks" / "two" / "00003.png")
    assert mask.mode == "P" and mask.size == (80, 48) and len(mask.getpalette()) == 768
    first = folder / "davis" / "Annotations" / "480p" / "two" / "00000.png"
    given = Image.open(folder / "evaluated" / "masks" / "two" / "00000.png")
    assert np.array_equal(np.asarray(given), np.asarray(Image.open(first)))

    in_process(*SCORE, "--output", "scored/scores.json", cwd=folder)
    scored = json.loads((folder / "scored" / "scores.json").read_text())
    assert {key: scored[key] for key in ("J&F", "J", "F")} == {key: outcome[key] for key in ("J&F", "J", "F")}
    assert scored["sequences"] == outcome["sequences"]
    assert "name another --output" in complaint(folder, *SCORE, "--output", "davis")


def test_the_floor_needs_no_checkpoint(folder):
    for method in ("copy_first_mask", "warp_by_flow"):
        in_process("evaluate", f"method={method}", "eval_set.root=davis", f"hydra.run.dir={method}", cwd=folder)
    copied = json.loads((folder / "copy_first_mask" / "results.json").read_text())
    assert copied["num_objects"] == 2  # DAVIS-2016: one object a sequence
    assert 0 < copied["J"] < 1


def test_loggers(folder):
    overrides = ["trainer.max_steps=1", "logger=tensorboard", "hydra.run.dir=logged"]
    in_process(*tiny_train(folder, *overrides), cwd=folder)
    assert list((folder / "logged" / "tensorboard").rglob("events.out.tfevents*"))
    overrides = ["trainer.max_steps=1", "logger=wandb", "hydra.run.dir=wandb_run"]
    vosmem(*tiny_train(folder, *overrides), cwd=folder, WANDB_SILENT="true", WANDB_ERROR_REPORTING="false")
    assert list((folder / "wandb_run" / "wandb").glob("offline-run-*/run-*.wandb"))


def complaint(folder: Path, *arguments: str) -> str:
    """The one line that reports a user's error."""
    done = in_process(*arguments, cwd=folder, check=False)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("vosmem: "), done.stderr
    return lines[0]


TRAIN = ["train", "trainer=cpu", "trainer.max_steps=1", "model.weights=none"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["nonsense"], "unknown command 'nonsense'"),
        (["train", "no_such_key=1"], "no_such_key"),
        (["train", "model=no_such_model"], "no_such_model"),
        (["train", "experiment=pretrain_embedded", "trainer.max_steps=???"], "trainer.max_steps"),
        ([*TRAIN, "paths.images=absent"], "absent"),
        ([*TRAIN, "datamodule=embedded", "paths.images=images"],
        "paths.images=images is ignored by datamodule=embedded"),
        ([*TRAIN, "experiment=pretrain_embedded", "train_images=folder"], "add datamodule=images"),
        ([*TRAIN, "datamodule=embedded", "model.weights=absent.pth"], "absent.pth"),
        ([*TRAIN, "datamodule=embedded", "augmentation.size=100"], "100"),
        ([*TRAIN, "datamodule=embedded", "datamodule.device_batch_size=3"], "device_batch_size"),
        (["evaluate", "eval_set.root=davis"], "checkpoint=FILE"),
        (["evaluate", "checkpoint=absent.ckpt", "eval_set.root=davis"], "absent.ckpt"),
        (["evaluate", "checkpoint=run/checkpoints/last.ckpt", "eval_set.root=missing"], "missing"),
        (["evaluate", "method=copy_first_mask", "eval_set.root=davis", "eval_set.sequences=[three]"], "three"),
        (["evaluate", "checkpoint=run/checkpoints/last.ckpt", "eval_set.root=davis", "device=abacus"], "abacus"),
        (["evaluate", "method=copy_first_mask", "eval_set.root=davis", "scales=1.3"], "as in scales=[1.3]"),
        (["benchmark", "num_objects=1"], "as in num_objects=[1]"),
        (["score", "missing", "davis"], "missing"),
        (["score", "davis/Annotations/480p", "davis"], "'one'"),
        (["score", "davis", "davis", "--num-workers", "-1"], "--num-workers -1"),
        (["score", "davis", "davis", "--output", "scores.csv"], "name the JSON, such as scores.json"),
        (["report", "paper", "--output", "davis"], "'davis' cannot be written"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(folder, arguments, match):
    assert match in complaint(folder, *arguments)


def test_broken_data_is_told_before_training(folder, tmp_path):
    root = write_images(tmp_path / "broken", count=14)
    for index in range(11):
        Image.new("L", (5, 5)).save(root / "masks" / f"{index:03d}.png")
    (root / "images" / "012.jpg").write_bytes(b"junk")
    # In a process of its own: the check of types reads an item of a sequence that is handed over.
    arguments = tiny_train(folder, "trainer.max_steps=1", "train_images.root=" + str(root), data=str(root))
    done = vosmem(*arguments, cwd=folder, check=False)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "12 of" in done.stderr or "11 of" in done.stderr
    assert "mask 5x5" in done.stderr


def test_a_mask_without_its_frame(folder, tmp_path):
    root = write_davis(tmp_path / "davis", {"one": 1})
    (root / "JPEGImages" / "480p" / "one" / "00002.jpg").unlink()
    line = complaint(folder, "evaluate", "method=copy_first_mask", f"eval_set.root={root}")
    assert "00002" in line and "no frame" in line


def test_an_empty_list(folder, tmp_path):
    root = write_davis(tmp_path / "davis", {"one": 1})
    (root / "ImageSets" / "2016" / "val.txt").write_text("\n")
    assert "is empty" in complaint(folder, "evaluate", "method=copy_first_mask", f"eval_set.root={root}")


def test_a_checkpoint_of_another_network(folder, tmp_path):
    content = torch.load(folder / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    content["config"]["model"]["decoder_channels"] = 12
    torch.save(content, tmp_path / "other.ckpt")
    line = complaint(folder, "evaluate", f"checkpoint={tmp_path / 'other.ckpt'}", "eval_set.root=davis")
    assert "does not fit the network" in line


def test_the_stack_trace_is_there_when_asked_for(folder):
    done = vosmem("score", "missing", "davis", cwd=folder, check=False, VOSMEM_TRACEBACK="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "vosmem.errors.InputError" in done.stderr.splitlines()[-1]
