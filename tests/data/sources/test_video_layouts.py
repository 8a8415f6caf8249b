"""One function in `LAYOUTS` is enough for training and evaluation to read a new layout."""

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from PIL import Image

from tests.messages import naming
from vosmem.data.sources import video_layouts
from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.data.sources.training_videos import training_videos
from vosmem.data.sources.video_layouts import VideoFolder
from vosmem.errors import InputError


def flat_layout(root, late_objects=True, exclude_last=True):
    """`<video>/rgb` and `<video>/seg` below the root."""
    return [
        VideoFolder(path.name, path / "rgb", path / "seg", path / "seg", late_objects=late_objects)
        for path in sorted(root.iterdir())
    ]


@pytest.fixture
def flat(tmp_path, monkeypatch):
    monkeypatch.setitem(video_layouts.LAYOUTS, "flat", flat_layout)
    for name in ("cat", "dog"):
        for t in range(3):
            for folder, picture in (("rgb", np.full((4, 6, 3), t)), ("seg", np.full((4, 6), 1 + t % 2))):
                (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture.astype(np.uint8)).save(tmp_path / name / folder / f"{t}.png")
    return tmp_path


def test_new_layout_trains_and_evaluates_by_its_name(flat):
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        train = compose("train", ["train_videos=folder", "train_videos.layout=flat", f"train_videos.root={flat}"])
        evaluate = compose("evaluate", ["eval_set=folder", "eval_set.layout=flat", f"eval_set.root={flat}"])
    videos, sequences = instantiate(train.train_videos), instantiate(evaluate.eval_set)
    assert [video.name for video in videos] == [sequence.name for sequence in sequences] == ["cat", "dog"]
    assert [len(video) for video in videos] == [3, 3] and sequences[1].given_at == (0, 1)
    assert np.array_equal(videos[1].read(2).image, sequences[1].frame(2).permute(1, 2, 0))


def test_unknown_layout_lists_the_known_ones(flat):
    with pytest.raises(InputError, match=naming("'round'", "davis, folder, youtubevos, flat")):
        evaluation_set("round", str(flat))


def test_excluded_videos_must_exist(flat):
    assert [video.name for video in training_videos("flat", str(flat), exclude=["cat"])] == ["dog"]
    with pytest.raises(InputError, match=naming("'cow'", "cat, dog")):
        training_videos("flat", str(flat), exclude=["cow"])


def test_empty_data_set_is_named(flat, tmp_path_factory):
    root = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match=naming(str(root), "no video", "flat")):
        training_videos("flat", str(root))
