"""The frame and size of each mask: as its file says, or rejected, or reported in a note."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.inputs.made import squares, write_clip, write_frames, write_mask
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.doctor import inspect
from vosmem.inputs.open import open_videos


def opened(source, mask, **options):
    (video,) = open_videos(source, mask, **options)
    return video.open()


def decisions(video):
    return [note.decision for note in video.notes]


@pytest.fixture(params=["frames", "video"])
def source(tmp_path, request):
    """Six frames: pictures f_0001 to f_0006, or a video, whose frames have the numbers 0 to 5."""
    if request.param == "video":
        return write_clip(tmp_path / "clip3.mp4", num_frames=6)
    return write_frames(tmp_path / "clip3", [f"f_{number:04d}" for number in range(1, 7)])


@pytest.mark.parametrize("name", ["0004", "frame_000004", "4", "mask-4", "0004_mask", "clip3_0004"])
def test_the_number_in_a_mask_name_selects_its_frame(tmp_path, source, name):
    index = 4 if source.is_file() else 3
    video = opened(source, write_mask(tmp_path / f"{name}.png", [1]))
    assert set(video.given_at) == {index}
    plain = source.is_file() and name.isdigit()  # other zeros in front are no guess
    assert (Decision.MASK_BY_NUMBER in decisions(video)) == (not plain)


def test_the_numbers_of_several_masks_select_their_frames(tmp_path, source):
    for name, ids in (("frame_000002", [1]), ("frame_000005", [2])):
        write_mask(tmp_path / "masks" / f"{name}.png", ids)
    video = opened(source, tmp_path / "masks")
    assert video.given_at == ((2, 5) if source.is_file() else (1, 4))
    (note,) = [note for note in video.notes if note.decision is Decision.MASK_BY_NUMBER]
    assert note.warns and "frame_000002.png" in note and "1 more" in note


@pytest.mark.parametrize("names", [["00500"], ["frame_000002", "frame_000700"], ["a_0002", "b_0002"]])
def test_a_number_that_matches_no_single_frame_is_rejected(tmp_path, source, names):
    for name in names:
        write_mask(tmp_path / "masks" / f"{name}.png", [1])
    number = {"00500": "500", "frame_000700": "700", "b_0002": "2"}[names[-1]]
    with pytest.raises(InputError, match=naming(names[-1], number, "--start")):
        opened(source, tmp_path / "masks")


@pytest.mark.parametrize("name", ["clip2_0004_mask", "0004_1", "v2_f_0004_object_1"])
def test_the_only_number_with_leading_zeros_is_that_of_the_frame(tmp_path, source, name):
    video = opened(source, write_mask(tmp_path / f"{name}.png", [1]))
    assert video.frame_names[next(t for t in range(6) if video.given_mask(t) is not None)] in ("f_0004", "00004")


@pytest.mark.parametrize("name", ["take2_4_mask", "0002_0004_mask"])
def test_a_mask_with_several_numbers_is_not_that_of_the_first_frame(tmp_path, source, name):
    with pytest.raises(InputError, match=naming(name, "--start")):
        opened(source, write_mask(tmp_path / f"{name}.png", [1]))


def test_a_number_of_two_frames_is_rejected(tmp_path):
    frames = write_frames(tmp_path / "clip", ["left_1", "right_1", "left_2", "right_2"])
    with pytest.raises(InputError, match=naming("'mask_2'", "several frames")):
        opened(frames, write_mask(tmp_path / "mask_2.png", [1]))


@pytest.mark.parametrize("name", ["mask", "clip3"])
def test_a_mask_without_a_number_belongs_to_the_first_frame(tmp_path, source, name):
    video = opened(source, write_mask(tmp_path / "masks" / f"{name}.png", [1]))
    assert video.given_at == (0,) and Decision.MASK_FOR_FIRST_FRAME in decisions(video)


def test_names_take_precedence_over_numbers(tmp_path):
    frames = write_frames(tmp_path / "clip", ["b_2", "c_1"])
    video = opened(frames, write_mask(tmp_path / "masks" / "c_1.png", [1]))
    assert video.given_at == (1,) and Decision.MASK_BY_NUMBER not in decisions(video)


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (100, 30), (64, 64), (64, 50), (70, 48)])
def test_a_mask_that_would_be_distorted_is_rejected(tmp_path, source, size):
    path = write_mask(tmp_path / "mask.png", [1], size=size)
    turned = size in [(48, 64), (24, 32)]
    with pytest.raises(InputError, match=naming("mask.png", f"{size[0]}x{size[1]}", "64x48")) as error:
        opened(source, path)
    assert ("only when turned" in str(error.value)) == turned
    diagnosis = inspect(source, path)
    assert not diagnosis.works and str(error.value) in diagnosis.videos[0].problems


def test_a_mask_for_frames_rotated_by_exif_is_rejected(tmp_path):
    (tmp_path / "frames").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    for number in range(2):
        Image.new("RGB", (64, 48)).save(tmp_path / "frames" / f"{number}.jpg", exif=exif)
    with pytest.raises(InputError, match=naming("only when turned", "EXIF")):
        opened(tmp_path / "frames", write_mask(tmp_path / "mask.png", [1], size=(48, 64)))


def coco(path, height, width, segmentation):
    image = {"id": 1, "file_name": "f_0001.png", "height": height, "width": width}
    entry = {"id": 1, "image_id": 1, "category_id": 1, "area": 9, "iscrowd": 0, "segmentation": segmentation}
    path.write_text(json.dumps({"images": [image], "annotations": [entry], "categories": []}))
    return path


def test_coco_with_swapped_height_and_width_is_rejected(tmp_path):
    frames = write_frames(tmp_path / "clip", ["f_0001"])
    with pytest.raises(InputError, match=naming("c.json", "48x64", "only when turned")):
        opened(frames, coco(tmp_path / "c.json", 64, 48, [[2, 2, 9, 2, 9, 9]]))


def alpha(colours, opacity):
    """A picture with transparency where `opacity` is 0."""
    return Image.fromarray(np.dstack([colours, opacity]))


SHAPE = squares([1]) * np.uint8(255)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 0, 0), (9, 200, 30)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_transparency_of_a_one_coloured_picture_is_the_mask(tmp_path, source, colour, mode):
    if mode == "P":  # two entries of the palette that differ only in opacity, as quantisers write them
        picture = Image.fromarray((SHAPE == 0).astype(np.uint8))
        picture.putpalette([*colour, *colour])
        picture.save(tmp_path / "mask.png", transparency=bytes([255, 0]))
    else:
        alpha(np.full((48, 64, 3), colour, np.uint8), SHAPE).convert(mode).save(tmp_path / "mask.png")
    video = opened(source, tmp_path / "mask.png")
    assert np.array_equal(video.given_mask(0).numpy(), SHAPE // 255) and video.object_ids == (1,)
    (note,) = [note for note in video.notes if note.decision is Decision.TRANSPARENCY_IS_MASK]
    assert note.warns


def test_half_opaque_pixels_belong_to_the_object(tmp_path, source):
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    alpha(np.full((48, 64, 3), 255, np.uint8), ramp).save(tmp_path / "mask.png")
    assert np.array_equal(opened(source, tmp_path / "mask.png").given_mask(0).numpy(), ramp >= 128)


def test_colours_that_contradict_transparency_are_rejected(tmp_path, source):
    colours = np.where(SHAPE[..., None] > 0, (0, 0, 0), (255, 255, 255)).astype(np.uint8)
    alpha(colours, SHAPE).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=naming("mask.png", "transparent where its colours hold an id")):
        opened(source, tmp_path / "mask.png")


def test_colours_on_a_transparent_background(tmp_path, source):
    colours = np.where(SHAPE[..., None] > 0, (255, 255, 255), (0, 0, 0)).astype(np.uint8)
    alpha(colours, SHAPE).save(tmp_path / "mask.png")
    video = opened(source, tmp_path / "mask.png")
    assert np.array_equal(video.given_mask(0).numpy(), SHAPE // 255) and video.object_ids == (255,)


def test_the_error_of_masks_without_objects_names_what_was_left_out(tmp_path):
    frames = write_frames(tmp_path / "clip", ["f_0001"])
    shape = {"label": "a", "points": [[3, 3], [9, 9]], "shape_type": "mask", "mask": None}
    content = {"shapes": [shape], "imagePath": "f_0001.png", "imageHeight": 48, "imageWidth": 64}
    path = tmp_path / "f_0001.json"
    path.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=naming("no mask holds an object", "1 shape of 'f_0001.json'", "holds no mask")
    ):
        opened(frames, path)
    (video,) = inspect(frames, path).videos
    assert any("no mask holds an object" in problem for problem in video.problems)
    assert [note.decision for note in video.notes] == [Decision.ENTRIES_LEFT_OUT]


@pytest.mark.parametrize("values", [(1, 255), (255, 1)])
@pytest.mark.parametrize("one_bit", [False, True])
def test_one_object_with_two_numbers_is_rejected(tmp_path, source, values, one_bit):
    for number, value in enumerate(values, start=2):
        path = write_mask(tmp_path / "masks" / f"{number:04d}.png", [value])
        if one_bit and value == 1:
            Image.fromarray(SHAPE).convert("1").save(path)
    with pytest.raises(InputError, match=naming("000", "png", "000", "png", "one number")):
        opened(source, tmp_path / "masks")


def test_a_trimap_is_rejected(tmp_path, source):
    with pytest.raises(InputError, match=naming("mask.png", "trimap")):
        opened(source, write_mask(tmp_path / "mask.png", [128, 255]))


def test_accents_are_compared_as_they_look(tmp_path):
    frames = write_frames(tmp_path / "clip", ["a\N{COMBINING ACUTE ACCENT}", "e\N{COMBINING ACUTE ACCENT}"])
    video = opened(frames, write_mask(tmp_path / "\N{LATIN SMALL LETTER E WITH ACUTE}.png", [1]))
    assert video.given_mask(0) is None and video.given_mask(1) is not None
