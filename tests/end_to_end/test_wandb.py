"""A sweep under Weights & Biases, offline, read back from its files."""

import json

import pytest

from tests.end_to_end.tiny import tiny_train, vosmem
from tests.wandb_log import history, records, run_record

pytestmark = pytest.mark.slow  # two trainings; logs of one are tested with the commands


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """The logs of two runs of main training on rendered video, a sweep of two seeds."""
    folder = tmp_path_factory.mktemp("wandb")
    tiny = [
        override
        for override in tiny_train(folder)[3:]
        if not override.startswith(("augmentation", "datamodule.sequences"))
    ]
    vosmem(
        "train", "-m", "experiment=main_rendered", "train_videos=rendered", "eval_set=rendered", *tiny,
        "logger=wandb", "callbacks=wandb", "callbacks.media.num_sequences=1", "seed=0,1", "augmentation.size=32",
        "train_videos.count=3", "train_videos.scene.num_frames=12", "eval_set.count=2",
        "eval_set.scene.num_frames=4",
        "trainer.max_steps=2", "validate_every_steps=2", "datamodule.samples_per_epoch=4", "hydra.sweep.dir=sweep",
        cwd=folder,
    )  # fmt: skip
    found = sorted(folder.glob("sweep/*/wandb/offline-run-*/run-*.wandb"))
    assert len(found) == 2
    return found


def test_the_runs_of_a_sweep_are_one_group(logs):
    groups = {run_record(path).run_group for path in logs}
    assert len(groups) == 1 and groups.pop().endswith("sweep")


def test_the_configuration_is_there(logs):
    updates = [
        record.config for path in logs[1:] for record in records(path) if record.WhichOneof("record_type") == "config"
    ]
    values = {item.key: json.loads(item.value_json) for config in updates for item in config.update if item.key}
    assert values["seed"] == 1 and values["model"]["key_channels"] == 8


def test_curves(logs):
    rows = history(logs[0])
    seen = {key for row in rows for key in row}
    assert {
        "train/loss", "train/max_skip", "train/clips_per_second", "train/peak_memory_mb", "val/J&F", "val/J", "val/F",
    } <= seen  # fmt: skip
    assert any(key.startswith("lr-") for key in seen)
    assert all(row["train/peak_memory_mb"] > 100 for row in rows if "train/peak_memory_mb" in row)


def test_pictures_videos_and_a_table(logs):
    rows = history(logs[0])
    media = logs[0].parent / "files"
    pictures = [row["val/masks/rendered_0000"] for row in rows if "val/masks/rendered_0000" in row]
    assert pictures and set(pictures[-1]["all_masks"][0]) == {"prediction", "truth"}
    assert (media / pictures[-1]["filenames"][0]).stat().st_size > 0
    videos = [row["val/video/rendered_0000"] for row in rows if "val/video/rendered_0000" in row]
    assert (media / videos[-1]["videos"][0]["path"]).stat().st_size > 0
    tables = [row["val/sequences"] for row in rows if "val/sequences" in row]
    table = json.loads((media / tables[-1]["path"]).read_text())
    assert table["columns"] == ["sequence", "J&F", "J", "F"]
    assert [row[0] for row in table["data"]] == ["rendered_0000", "rendered_0001"]
    assert all(0 <= value <= 100 for row in table["data"] for value in row[1:])
    assert not any(key.endswith("rendered_0001") for row in rows for key in row)  # one sequence is shown
