"""Folders of frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.inputs.made import shade, write_frames
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.picture_frames import PictureFrames


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".png", ".webp", ".bmp", ".tif"])
def test_frames_of_any_type_in_natural_order(tmp_path, suffix):
    frames = PictureFrames(write_frames(tmp_path, ["1", "2", "3", "10"], suffix=suffix))
    assert list(frames.frame_names) == ["1", "2", "3", "10"]
    assert (len(frames), frames.size, frames.rate, frames.times, frames.notes) == (4, (64, 48), None, None, ())
    assert [shade(frames.frame(t)) for t in range(4)] == [0, 1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=12, unique=True), st.sampled_from(["", "frame_", "a 1-"]))
def test_frames_are_in_natural_order(tmp_path_factory, numbers, prefix):
    folder = tmp_path_factory.mktemp("frames")
    write_frames(folder, [f"{prefix}{number}" for number in numbers], size=(2, 2), suffix=".bmp")
    assert list(PictureFrames(folder).frame_names) == [f"{prefix}{number}" for number in sorted(numbers)]


def test_other_files_are_no_frames(tmp_path):
    folder = write_frames(tmp_path, ["0", "1"])
    for name in (".DS_Store", "._0.png", "Thumbs.db", "notes.txt"):
        (folder / name).write_text("no picture")
    (folder / "masks").mkdir()
    assert len(PictureFrames(folder)) == 2


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "I;16"])
def test_frames_of_any_mode_are_rgb(tmp_path, mode):
    Image.fromarray(np.full((6, 8), 200, np.uint8)).convert(mode).save(tmp_path / "0.png")
    assert PictureFrames(tmp_path).frame(0).shape == (3, 6, 8)


def test_one_picture_is_a_video_of_one_frame(tmp_path):
    frames = PictureFrames(write_frames(tmp_path, ["cat"]) / "cat.png")
    assert (len(frames), list(frames.frame_names), shade(frames.frame(0))) == (1, ["cat"], 0)


def test_exif_rotation_is_ignored_with_a_note(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(tmp_path / "0.jpg", exif=exif)
    frames = PictureFrames(tmp_path)
    assert frames.size == (8, 6) and frames.frame(0).shape == (3, 6, 8)
    assert "0.jpg" in frames.notes[0] and "EXIF" in frames.notes[0]


def test_two_frames_with_one_stem_are_rejected(tmp_path):
    write_frames(tmp_path, ["0", "1"])
    write_frames(tmp_path, ["1"], suffix=".jpg")
    with pytest.raises(InputError, match=naming("1.jpg", "1.png", "keep one")):
        PictureFrames(tmp_path)


@pytest.mark.parametrize("method", ["frame", "check"])
def test_a_frame_of_another_size_is_reported(tmp_path, method):
    write_frames(tmp_path, ["0", "1"])
    write_frames(tmp_path, ["2"], size=(32, 20))
    frames = PictureFrames(tmp_path)
    getattr(frames, method)(1)
    with pytest.raises(InputError, match=naming("'2'", "32x20", "64x48")):
        getattr(frames, method)(2)


@pytest.mark.parametrize("share", [0, 0.6])
def test_a_broken_frame_is_reported_and_the_others_are_read(tmp_path, share):
    write_frames(tmp_path, ["0", "1", "2"], size=(200, 100))
    content = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(content[: int(share * len(content))])
    frames = PictureFrames(tmp_path)
    with pytest.raises(InputError, match=naming("1.png", "cannot be read")):
        frames.frame(1)
    assert [shade(frames.frame(t)) for t in (0, 2)] == [0, 2]


@pytest.mark.parametrize(("make", "message"), [(False, "not found"), (True, "no images")])
def test_a_missing_or_empty_folder_is_rejected(tmp_path, make, message):
    if make:
        (tmp_path / "cat").mkdir()
    with pytest.raises(InputError, match=naming("cat", message)):
        PictureFrames(tmp_path / "cat")
