"""Masks as NumPy arrays, as a video and in zip files."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.inputs.made import squares, write_clip, write_frames, write_mask, write_mask_video
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.open import open_videos

STEMS = ["a_0", "a_1", "a_2"]
IDS = ([1, 7], [7], [1, 7])
MASKS = np.stack([squares(own) if own != [7] else np.where(squares([0, 7]) == 7, 7, 0) for own in IDS])


def opened(folder, mask):
    return open_videos(write_frames(folder / "clip", STEMS), mask)[0].open()


def given(video):
    return {
        t: np.where(m, np.array([0, *video.object_ids])[m], 0)
        for t in range(len(video))
        if (m := mask_at(video, t)) is not None
    }


def mask_at(video, t):
    mask = video.given_mask(t)
    return None if mask is None else mask.numpy()


def saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32])
def test_an_array_with_a_mask_for_each_frame(tmp_path, dtype):
    video = opened(tmp_path, saved(tmp_path / "masks.npy", MASKS.astype(dtype)))
    assert all(np.array_equal(mask, expected) for mask, expected in zip(given(video).values(), MASKS, strict=True))
    assert Decision.MASK_PAGES in {note.decision for note in video.notes}


@pytest.mark.parametrize("shape", [(48, 64), (1, 48, 64), (48, 64, 1)])
def test_an_array_of_one_mask_is_that_of_its_name(tmp_path, shape):
    masks = given(opened(tmp_path, saved(tmp_path / "a_1.npy", MASKS[0].reshape(shape))))
    assert list(masks) == [1] and np.array_equal(masks[1], MASKS[0])


def test_arrays_of_an_npz_file_and_of_a_folder_are_named_after_their_frames(tmp_path):
    np.savez_compressed(tmp_path / "m.npz", **{"a_0": MASKS[0], "a_2": MASKS[2]})
    (tmp_path / "masks").mkdir()
    for stem in ("a_0", "a_2"):
        saved(tmp_path / "masks" / f"{stem}.npy", MASKS[0])
    for mask in (tmp_path / "m.npz", tmp_path / "masks"):
        assert sorted(given(opened(tmp_path / f"clip of {mask.name}", mask))) == [0, 2]


def test_a_boolean_array_is_one_object(tmp_path):
    assert opened(tmp_path, saved(tmp_path / "a_0.npy", MASKS[0] > 0)).object_ids == (1,)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (MASKS[:2], ["2 masks", "3 frames"]),
        (MASKS[0] / 10, ["fractions"]),
        (MASKS[0].astype(int) - 1, ["-1"]),
        (np.zeros((3, 4, 48, 64)), ["3 x 4 x 48 x 64"]),
        (np.zeros((0, 64)), ["(0, 64)"]),
        (np.array("text"), ["m.npy"]),
        (np.array([[{}]], object), ["m.npy", "objects"]),
        (np.zeros((48, 60), np.uint8), ["60x48", "64x48"]),
    ],
)
def test_arrays_that_are_no_masks_are_refused(tmp_path, array, words):
    with pytest.raises(InputError, match=naming(*words)):
        opened(tmp_path, saved(tmp_path / "m.npy", array))


@pytest.mark.parametrize("name", ["m.npy", "m.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{'descr"])
def test_damaged_arrays_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=naming(name)):
        opened(tmp_path, tmp_path / name)


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"), [("ffv1", "gray", ".mkv"), ("ffv1", "bgr0", ".mkv"), ("png", "rgb24", ".mov")]
)
def test_a_lossless_video_of_masks_holds_ids(tmp_path, codec, pixels, suffix):
    video = opened(tmp_path, write_mask_video(tmp_path / f"m{suffix}", codec, pixels, IDS[:1] * 3))
    assert video.object_ids == (1, 7)
    assert Decision.WHITE_IS_OBJECT not in {note.decision for note in video.notes}


def test_an_animation_of_masks(tmp_path):
    pictures = [Image.fromarray(squares(own)) for own in ([255], [0, 255], [255])]
    pictures[0].save(tmp_path / "m.gif", save_all=True, append_images=pictures[1:])
    masks = given(opened(tmp_path, tmp_path / "m.gif"))
    assert [np.array_equal(masks[t], squares(own)) for t, own in enumerate(([255], [0, 255], [255]))] == [True] * 3


def test_a_compressed_video_of_masks_is_black_and_white(tmp_path):
    video = opened(tmp_path, write_mask_video(tmp_path / "m.mp4", "libx264", ids=([255], [0, 255], [255])))
    for t, own in enumerate(([255], [0, 255], [255])):
        assert (mask_at(video, t) != (squares(own) > 0)).mean() < 0.01, "a lossy codec moves edges a little"
    with pytest.raises(InputError, match=naming("c.mp4[a_0]", "lossless")):
        opened(tmp_path / "c", write_mask_video(tmp_path / "c.mp4", "libx264", ids=([90, 255],) * 3))
    with pytest.raises(InputError, match=naming("l.mp4", "2 frames", "3 frames")):
        opened(tmp_path / "l", write_mask_video(tmp_path / "l.mp4", "libx264", ids=([255],) * 2))


def zipped(path, folder):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent if folder.name == "inner" else folder))
        archive.writestr("__MACOSX/._0.png", b"resource")
    return path


@pytest.mark.parametrize("name", ["frames", "inner"])
def test_frames_and_masks_in_zip_files(tmp_path, name):
    clip, masks = write_frames(tmp_path / "a" / name, STEMS), tmp_path / "m" / name
    for t in (0, 2):
        write_mask(masks / f"a_{t}.png", [1])
    source, mask = zipped(tmp_path / "clip.zip", clip), zipped(tmp_path / "masks.zip", masks)
    for _ in range(2):
        video = open_videos(source, mask)[0].open()
        assert (list(video.frame_names), sorted(given(video)), video.notes[:-1]) == (STEMS, [0, 2], [])


def test_a_video_in_a_zip_file(tmp_path):
    (tmp_path / "v").mkdir()
    clip = write_clip(tmp_path / "v" / "a.mp4", num_frames=3)
    (found,) = open_videos(zipped(tmp_path / "v.zip", clip.parent), write_mask(tmp_path / "m.png", [1]))
    assert (found.name, len(found.open())) == ("a", 3)


def test_zip_files_that_cannot_be_unpacked_are_refused(tmp_path):
    write_mask(tmp_path / "m.png", [1])
    whole = zipped(tmp_path / "a.zip", write_frames(tmp_path / "clip", STEMS)).read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2], whole.replace(b"IHDR", b"IHDX")):
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(InputError, match=naming("b.zip")):
            open_videos(tmp_path / "b.zip", tmp_path / "m.png")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr(".DS_Store", b"")
    with pytest.raises(InputError, match=naming("c.zip", "no files")):
        open_videos(tmp_path / "c.zip", tmp_path / "m.png")


def test_names_in_a_zip_file_stay_in_its_folder(tmp_path):
    Image.fromarray(squares([1])).save(tmp_path / "m.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "m.png", "../../escaped.png")
    with pytest.raises(InputError, match=naming("a.zip", "no files")):
        open_videos(tmp_path / "a.zip", tmp_path / "m.png")
    assert not list(tmp_path.parent.glob("escaped.png")) and not (tmp_path / "escaped.png").exists()


def test_a_jpeg_is_black_and_white_or_refused(tmp_path):
    Image.fromarray(squares([255, 0, 255])).save(tmp_path / "a_1.jpg", quality=75)
    video = opened(tmp_path, tmp_path / "a_1.jpg")
    assert (mask_at(video, 1) != (squares([255, 0, 255]) > 0)).mean() < 0.01
    assert Decision.WHITE_IS_OBJECT in {note.decision for note in video.notes}
    Image.fromarray(squares([80, 160])).save(tmp_path / "a_2.jpg")
    with pytest.raises(InputError, match=naming("a_2.jpg", "JPEG", "PNG")):
        opened(tmp_path, tmp_path / "a_2.jpg")
