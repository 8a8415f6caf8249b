"""Training videos: every frame with its mask, ids that mean the same throughout, and sets as they lie on disk."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.conftest import write_davis
from tests.data.clips.test_video_clips import augmentation
from tests.data.rendering.test_rendered_videos import SCENE, Blocks
from tests.messages import naming
from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.data.sampling.curriculum import SkipSchedule
from vosmem.data.sampling.datamodules import MainData
from vosmem.data.sources.checks import check_videos
from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.data.sources.joined import JoinedVideos, long_enough, repeats
from vosmem.data.sources.training_videos import (
    MaskedFrames,
    TrainingVideo,
    training_videos,
)
from vosmem.data.sources.video_layouts import VideoFolder
from vosmem.errors import InputError


def save(folder, stems, pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in zip(stems, pictures, strict=True):
        Image.fromarray(picture).save(folder / f"{stem}.png")


def write_video(root, name="clip", stems=range(6), masks=None, masked=None):
    """A video whose frame t is grey level t; by default every second frame has a mask."""
    stems = [f"{stem:05d}" for stem in stems]
    masked = stems[::2] if masked is None else masked
    masks = masks or [np.full((8, 9), index + 1, np.uint8) for index in range(len(masked))]
    save(root / "JPEGImages" / name, stems, [np.full((8, 9, 3), index, np.uint8) for index in range(len(stems))])
    save(root / "Annotations" / name, masked, masks)
    return root


def video(root, name="clip", **options):
    masks = root / "Annotations" / name
    return MaskedFrames(VideoFolder(name, root / "JPEGImages" / name, masks, masks), **options)


def test_frames_without_a_mask_are_left_out(tmp_path):
    found = video(write_video(tmp_path))
    assert isinstance(found, TrainingVideo) and len(found) == 3
    images = [found.read(t) for t in range(3)]
    assert [int(labelled.image[0, 0, 0]) for labelled in images] == [0, 2, 4]
    assert [int(labelled.labels[0, 0]) for labelled in images] == [1, 2, 3]
    assert found.sizes(1) == ((9, 8), (9, 8))


def masks_of(*rows):
    return [np.array([row], np.uint8) for row in rows]


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        (masks_of([0, 255], [255, 255]), [[0, 1], [1, 1]]),
        (masks_of([0, 1], [0, 255]), [[0, 1], [0, 0]]),
        (masks_of([0, 0], [0, 255]), [[0, 0], [0, 1]]),
        (masks_of([0, 0], [255, 7], [255, 0]), [[0, 0], [0, 7], [0, 0]]),
    ],
    ids=["0/255", "void later", "object later", "void and object later"],
)
def test_the_meaning_of_255_is_fixed_for_a_video(tmp_path, masks, expected):
    stems = [f"{t:05d}" for t in range(len(masks))]
    save(tmp_path / "JPEGImages" / "clip", stems, [np.zeros((1, 2, 3), np.uint8)] * len(masks))
    save(tmp_path / "Annotations" / "clip", stems, masks)
    for read in (range(len(masks)), reversed(range(len(masks)))):
        found = video(tmp_path)
        assert {t: found.read(t).labels[0].tolist() for t in read} == dict(enumerate(expected))


def test_a_mask_without_frame_is_named(tmp_path):
    write_video(tmp_path, masked=["00000", "00077"])
    with pytest.raises(InputError, match=r"\Avideo 'clip': mask '00077' has no frame.*\Z"):
        video(tmp_path)


def test_videos_that_a_clip_cannot_use_are_found_before_training(tmp_path):
    write_video(tmp_path, "short", stems=range(3))
    write_video(tmp_path, "odd", masks=[np.ones((8, 8), np.uint8)] * 3)
    with pytest.raises(
        InputError, match=r"\A4 of 5 frames of 2 videos cannot.*odd, frame 0: image 9x8, mask 8x8.*\Z"
    ) as e:
        check_videos(training_videos("folder", str(tmp_path)), 3)
    assert "video short: 2 frames with masks, a clip takes 3" in str(e.value)
    with pytest.raises(InputError, match=r"\Amask '.*' is 8x8 but its image is 9x8: resize.*\Z"):
        video(tmp_path, "odd").read(0)


def test_any_folder(tmp_path):
    for name in ("v10", "v2"):
        write_video(tmp_path, name)
    found = training_videos("folder", str(tmp_path), frame_step=5)
    assert [(each.name, each.frame_step) for each in found] == [("v2", 5), ("v10", 5)]


@pytest.mark.parametrize(
    ("missing", "named"), [("", "not found"), ("JPEGImages", "JPEGImages"), ("Annotations", "no video")]
)
def test_a_folder_without_the_layout_is_named(tmp_path, missing, named):
    root = tmp_path / "set"
    if missing:
        write_video(root)
        (root / missing / "clip").rename(tmp_path / "moved")
    if missing == "JPEGImages":
        (root / missing).rmdir()
    with pytest.raises(InputError, match=named):
        training_videos("folder", str(root))


@pytest.mark.parametrize(("year", "ids"), [(2016, {0, 1}), (2017, {0, 1, 2})])
def test_davis(tmp_path, year, ids):
    write_davis(tmp_path, {"one": 1, "two": 2})
    found = training_videos("davis", str(tmp_path), year=year, image_set="val")
    assert [each.name for each in found] == ["one", "two"]
    assert set(np.unique(found[1].read(0).labels)) == ids


def test_rendered_videos_are_training_videos():
    videos = RenderedVideos(Blocks(), SCENE, 3, seed=0)
    check_videos(videos, 3)
    labelled = videos[1].read(7)
    frame, labels = videos[1].render(7)
    assert isinstance(videos[0], TrainingVideo)
    assert np.array_equal(labelled.image, frame) and np.array_equal(labelled.labels, labels)
    assert [each.name for each in videos] == ["rendered_0000", "rendered_0001", "rendered_0002"]


def test_joined_sets_with_weights(tmp_path):
    write_video(tmp_path / "a", "x")
    for name in ("y", "z"):
        write_video(tmp_path / "b", name)
    sets = {name: training_videos("folder", str(tmp_path / name)) for name in "ab"}
    joined = JoinedVideos(sets, {"a": 5.0})
    assert [each.name for each in joined] == ["x", "y", "z"]
    assert repeats(joined).tolist() == [5, 1, 1]
    with pytest.raises(InputError, match="'c'"):
        JoinedVideos(sets, {"c": 5.0})


def test_a_short_video_is_left_out_with_a_warning(tmp_path, capsys):
    for name, length in (("long", 6), ("short", 4), ("other", 8)):
        write_video(tmp_path, name, stems=range(length))
    settings = {"batch_size": 2, "device_batch_size": 2, "samples_per_epoch": 4, "num_workers": 0, "sequences": []}
    data = MainData(
        videos=training_videos("folder", str(tmp_path)), augmentation=augmentation(), curriculum=SkipSchedule([0], [0]),
        reversal=0.0,
        seed=0, **settings,
    )  # fmt: skip
    reported = capsys.readouterr().err
    assert re.match(
        naming("warning: 1 of 3", "video short: 2 frames with masks, a clip takes 3"), reported.rstrip("\n")
    )
    assert [each.name for each in data.videos] == [data.sample_name(item) for item in range(2)] == ["long", "other"]
    data.check()
    assert all(len(data.clips[key].frames) == 3 for key in data.train_dataloader().sampler)


def test_joined_sets_without_their_short_videos_keep_their_weights(tmp_path, capsys):
    for name, length in (("a/x", 6), ("b/y", 4), ("c/z", 4), ("c/w", 6)):
        write_video(tmp_path / name[0], name[2], stems=range(length))
    sets = {name: training_videos("folder", str(tmp_path / name)) for name in "abc"}
    joined = JoinedVideos(sets, {"a": 5.0, "c": 2.0})
    assert long_enough(joined, 2) is joined and capsys.readouterr().err == ""
    left = long_enough(joined, 3)
    assert [each.name for each in left] == ["x", "w"] and repeats(left).tolist() == [5, 2]
    with pytest.raises(InputError, match=naming("no video is long enough", "video y: 2 frames", "num_frames")):
        long_enough(sets["b"], 3)


def test_videos_without_masks_are_named(tmp_path, capsys):
    write_video(tmp_path, "masked")
    for name in ("v10", "v2", ".hidden"):
        (tmp_path / "JPEGImages" / name).mkdir()
    assert [each.name for each in training_videos("folder", str(tmp_path))] == ["masked"]
    assert re.match(naming("warning: 2 of 3", "no folder of masks", "v2, v10"), capsys.readouterr().err.rstrip("\n"))
    assert [each.name for each in evaluation_set("folder", str(tmp_path), sequences=["masked"])] == ["masked"]
    assert capsys.readouterr().err == ""
