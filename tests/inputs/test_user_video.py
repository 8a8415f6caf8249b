"""The masks that a run is given from a user's files."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tests.inputs.made import shade, squares, write_clip, write_frames, write_mask
from tests.messages import naming
from vosmem.data.decoding.palette import davis_palette
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inputs.open import open_videos
from vosmem.inputs.scan import find_frame
from vosmem.ops.masks import slots_to_ids


@pytest.fixture
def clip(tmp_path):
    """Six frames, named 00000 to 00005."""
    return write_frames(tmp_path / "clip", [f"{t:05d}" for t in range(6)])


@pytest.fixture
def masks(tmp_path):
    """A folder to put masks in."""
    (tmp_path / "masks").mkdir()
    return tmp_path / "masks"


def opened(source, mask, **options):
    (video,) = open_videos(source, mask, **options)
    return video.open()


def given(video):
    """The ids given at every frame, by frame."""
    masks = {t: video.given_mask(t) for t in range(len(video))}
    return {t: slots_to_ids(mask.numpy(), video.object_ids) for t, mask in masks.items() if mask is not None}


MODES = [(None, [3, 200]), ("L", [3, 200]), ("LA", [1, 2]), ("RGB", [3, 200]), ("RGBA", [1]), ("I;16", [4, 9])]


@pytest.mark.parametrize(("mode", "ids"), MODES)
def test_ids_are_kept_from_each_mode_of_mask(clip, masks, mode, ids):
    video = opened(clip, write_mask(masks / "00000.png", ids, mode=mode))
    assert (video.name, len(video), video.size, video.object_ids) == ("clip", 6, (64, 48), tuple(ids))
    assert {t: mask.tolist() for t, mask in given(video).items()} == {0: squares(ids).tolist()}
    assert (video.given_at, video.masks_used, video.wide_ids) == ((0,) * len(ids), ["00000.png"], False)
    assert [video.labels(t) for t in range(6)] == [None] * 6
    assert shade(video.frame(4)) == 4


@pytest.mark.parametrize(("mode", "number"), [("L", 255), ("1", 1), ("RGB", 255)])
def test_a_black_and_white_mask_is_one_object(clip, masks, mode, number):
    video = opened(clip, write_mask(masks / "m.png", [255], mode=mode))
    assert video.object_ids == (number,)
    assert any("255 is its only value" in note for note in video.notes) == (mode != "1")


def test_255_next_to_ids_is_void_with_a_note(clip, masks):
    write_mask(masks / "00000.png", [7, 255])
    write_mask(masks / "00003.png", [255])
    video = opened(clip, masks)
    assert (video.object_ids, list(given(video))) == ((7,), [0])
    assert any("'00000.png' and 1 more" in note and "void" in note for note in video.notes)


def test_an_object_of_255_with_soft_edges_needs_cleaning(clip, masks):
    """Otherwise the edges would be objects, and the object void."""
    shape = cv2.GaussianBlur(squares([255]).astype(np.uint8), (5, 5), 1.5)
    Image.fromarray(shape).save(masks / "00000.png")
    with pytest.raises(InputError, match=naming("00000.png", "one object of 255 with soft edges", "--clean-masks")):
        opened(clip, masks)
    assert opened(clip, masks, clean=True).object_ids == (255,)


def test_255_is_an_object_if_it_is_the_only_value_of_the_first_mask(clip, masks):
    for name in ("00000.png", "00003.png"):
        write_mask(masks / name, [255])
    assert list(given(opened(clip, masks))) == [0, 3]


def test_wide_ids(clip, masks):
    write_labels(masks / "00000.png", squares([255, 256, 65535]))
    video = opened(clip, masks)
    assert (video.object_ids, video.wide_ids) == ((255, 256, 65535), True)
    assert np.array_equal(given(video)[0], squares([255, 256, 65535]))


def test_a_colour_has_one_id_in_all_masks_and_becomes_the_palette(clip, masks):
    colours = {0: (0, 0, 0), 1: (255, 60, 0), 2: (255, 255, 0)}
    for name, ids in (("00001", [2]), ("00002", [1, 2])):
        picture = squares(ids)
        Image.fromarray(np.array([colours[k] for k in range(3)], np.uint8)[picture]).save(masks / f"{name}.png")
    video = opened(clip, masks)
    # Yellow came first, so it is object 1.
    assert given(video)[1].max() == 1
    assert video.palette[:3].tolist() == [[0, 0, 0], [255, 255, 0], [255, 60, 0]]
    assert np.array_equal(given(video)[2], np.array([0, 2, 1])[squares([1, 2])])


def test_the_palette_of_given_masks_is_used_for_results(clip, masks):
    colours = davis_palette()[::-1]
    write_labels(masks / "00000.png", squares([1]), colours)
    assert np.array_equal(opened(clip, masks).palette, colours)
    assert opened(clip, write_mask(masks / "grey.png", [1])).palette is None


@pytest.mark.parametrize("size", [(32, 24), (128, 96), (65, 48), (21, 16)])
def test_a_mask_of_another_size_is_resized_with_a_note(clip, masks, size):
    write_mask(masks / "00000.png", [3, 5], size=size)
    video = opened(clip, masks)
    assert video.given_mask(0).shape == (48, 64)
    assert set(np.unique(given(video)[0])) == {0, 3, 5}
    assert any(f"{size[0]}x{size[1]}, its frame 64x48" in note for note in video.notes)


def test_a_note_names_an_object_that_vanishes_when_resized(clip, masks):
    mask = squares([3], size=(640, 480), side=200)
    mask[478, 638] = 9
    Image.fromarray(mask).save(masks / "00000.png")
    video = opened(clip, masks)
    assert video.object_ids == (3,)
    assert any("object 9 vanishes" in note for note in video.notes)


class TestSeveralMasks:
    @pytest.fixture
    def video(self, clip, masks):
        for name, ids in (("00001", [4]), ("00003", [4, 2]), ("00004", []), ("00005", [9, 2])):
            write_mask(masks / f"{name}.png", ids)
        return opened(clip, masks)

    def test_all_are_used(self, video):
        assert (video.object_ids, video.given_at) == ((4, 2, 9), (1, 3, 5))
        assert video.masks_used == ["00001.png", "00003.png", "00005.png"]
        assert {t: m.tolist() for t, m in given(video).items()} == {
            t: squares(ids).tolist() for t, ids in ((1, [4]), (3, [4, 2]), (5, [9, 2]))
        }

    def test_notes_on_empty_masks_and_frames_before_the_first_mask(self, video):
        assert any("1 mask without objects" in note for note in video.notes)
        assert any("'00001'" in note and "1 frame before it" in note for note in video.notes)


@pytest.mark.parametrize(
    ("direction", "message"),
    [("forward", "2 frames before it stay empty"), ("backward", "3 frames after it stay empty"), ("both", None)],
)
def test_a_warning_names_frames_whose_masks_stay_empty(clip, masks, direction, message):
    write_mask(masks / "00002.png", [4])
    (found,) = open_videos(clip, masks)
    notes = replace(found, direction=direction).open().notes
    assert [note for note in notes if "stay empty" in note] == [note for note in notes if note.warns]
    assert (message is None and not notes) or (message in notes[0] and "--direction both" in notes[0])


def test_each_object_of_a_data_set_is_given_once(tmp_path):
    write_frames(tmp_path / "JPEGImages" / "fish", ["0", "1", "2"])
    for stem, ids in (("0", [4]), ("1", [4, 2]), ("2", [4, 2])):
        write_mask(tmp_path / "Annotations" / "fish" / f"{stem}.png", ids)
    video = opened(tmp_path, None)
    assert {t: np.unique(m).tolist() for t, m in given(video).items()} == {0: [0, 4], 1: [0, 2]}
    assert video.masks_used == ["0.png", "1.png"]
    assert any("1 more mask next to" in note for note in video.notes)
    named = opened(tmp_path, tmp_path / "Annotations")
    assert list(given(named)) == [0, 1, 2] and named.masks_used == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    ("name", "start", "t"),
    [
        ("00004.png", None, 4),
        ("4.png", None, 4),
        ("anything.png", None, 0),
        ("anything.png", 3, 3),
        ("00004.png", "00002", 2),
        ("m.png", "5", 5),
    ],
)
def test_the_frame_of_a_single_mask(clip, masks, name, start, t):
    video = opened(clip, write_mask(masks / name, [1]), start=start)
    assert video.given_at == (t,)
    assert any("taken for the first frame's" in note for note in video.notes) == (name == "anything.png" and not t)


@pytest.mark.parametrize("start", [6, -1, "6", "frame", "²"])
def test_a_start_that_is_no_frame_is_rejected(clip, masks, start):
    with pytest.raises(InputError, match=naming(f"--start {start}", "0 to 5", "'00000'")):
        opened(clip, write_mask(masks / "m.png", [1]), start=start)


def test_a_stem_takes_precedence_over_a_frame_number():
    assert find_frame(["5", "6", "7"], "6", range(3)) == 1
    assert find_frame(["a", "b", "c"], "2", range(3)) == 2


def test_masks_without_a_frame_are_reported(clip, masks):
    for name in ("a.png", "b.png"):
        write_mask(masks / name, [1])
    with pytest.raises(InputError, match=naming("none of the 2 masks", "'a'", "'00000'")):
        opened(clip, masks)
    write_mask(masks / "00001.png", [1])
    assert any("2 masks without a frame" in note for note in opened(clip, masks).notes)


def test_start_with_several_masks_is_rejected(clip, masks):
    for name in ("00000.png", "00002.png"):
        write_mask(masks / name, [1])
    with pytest.raises(InputError, match=naming("--start", "2 are given")):
        opened(clip, masks, start=1)


def test_the_first_corrupt_mask_is_reported_and_the_others_counted(clip, masks):
    write_mask(masks / "00000.png", [1])
    for name in ("00002.png", "00004.png"):
        (masks / name).write_bytes(b"no mask")
    with pytest.raises(InputError, match=naming("00002.png", "cannot be read", "1 more")):
        opened(clip, masks)


def test_masks_without_objects_are_rejected(clip, masks):
    with pytest.raises(InputError, match=naming("'clip'", "no mask holds an object")):
        opened(clip, write_mask(masks / "00000.png", []))


@pytest.mark.parametrize("limit", [30, 300])
def test_too_many_objects_are_rejected(clip, masks, limit):
    for t in range(6):
        mask = np.zeros((48, 64), np.uint16)
        mask[::2, ::2].flat[:60] = 1 + 60 * t + np.arange(60)
        write_labels(masks / f"{t:05d}.png", mask)
    message = ("60 objects", "--max-objects 30") if limit == 30 else ("'clip'", "360 objects", "more than 254")
    with pytest.raises(InputError, match=naming(*message)):
        opened(clip, masks, max_objects=limit)


def test_forty_objects(clip, masks):
    mask = np.zeros((48, 64), np.uint8)
    mask[4:44, 5:60] = np.arange(1, 41)[:, None]
    Image.fromarray(mask).save(masks / "00000.png")
    video = opened(clip, masks)
    assert len(video.object_ids) == 40 and video.given_mask(0).max() == 40


def test_one_pixel_and_one_frame(tmp_path, masks):
    mask = np.zeros((48, 64), np.uint8)
    mask[47, 63] = 5
    Image.fromarray(mask).save(masks / "0.png")
    video = opened(write_frames(tmp_path / "clip", ["0"]), masks)
    assert (len(video), video.object_ids, int(video.given_mask(0).sum())) == (1, (5,), 1)


def test_a_video_file_has_rate_and_masks_by_number(tmp_path, masks):
    write_mask(masks / "12.png", [3])
    video = opened(write_clip(tmp_path / "cat.mp4"), masks)
    assert (video.name, video.rate, video.given_at) == ("cat", 25, (12,))
    assert shade(video.frame(12)) == 12
    assert torch.equal(video.given_mask(12), torch.from_numpy(squares([1])))
