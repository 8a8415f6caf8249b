"""Images and masks of every kind, and the errors for unusable files."""

import numpy as np
import pytest
from PIL import Image

from tests.messages import naming
from vosmem.data.decoding.images import image_size, is_image, read_image, read_labels
from vosmem.errors import InputError

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)


def mask_of(ids, shape=(9, 14)):
    """Every id somewhere, whatever the seed."""
    flat = np.resize(np.array(ids, np.uint8), shape[0] * shape[1])
    return np.random.default_rng(1).permutation(flat).reshape(shape)


def save(path, labels, mode):
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette(np.random.default_rng(2).integers(0, 256, 768).tolist())
    elif mode == "1":
        picture = picture.convert("1", dither=Image.Dither.NONE)
    assert picture.mode == mode
    picture.save(path)
    return path


@pytest.mark.parametrize("mode", ["P", "L"])
@pytest.mark.parametrize("ids", [[0], [0, 1], [0, 3, 200], [5, 254], list(range(255))])
def test_ids_are_read_as_they_are(tmp_path, mode, ids):
    labels = mask_of(ids, (20, 15))
    assert np.array_equal(read_labels(save(tmp_path / "mask.png", labels, mode)), labels)


@pytest.mark.parametrize("mode", ["P", "L", "1"])
@pytest.mark.parametrize("ids", [[0, 255], [255]])
def test_255_as_the_only_id_is_one_object(tmp_path, mode, ids):
    labels = mask_of(ids)
    assert np.array_equal(read_labels(save(tmp_path / "mask.png", labels, mode)), labels // 255)


@pytest.mark.parametrize("mode", ["P", "L"])
@pytest.mark.parametrize("ids", [[0, 1, 255], [7, 255], [0, 254, 255]])
def test_255_next_to_ids_is_void(tmp_path, mode, ids):
    labels = mask_of(ids)
    assert np.array_equal(read_labels(save(tmp_path / "mask.png", labels, mode)), np.where(labels == 255, 0, labels))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("ids", [[0, 1], [0, 3, 200], [0, 7, 255]])
def test_ids_survive_other_modes(tmp_path, mode, ids):
    path, labels = tmp_path / "mask.png", mask_of(ids)
    Image.fromarray(labels).convert(mode).save(path)
    void = mode != "I;16"  # 16 bits have room for ids: 255 is one of them
    assert np.array_equal(read_labels(path), np.where((labels == 255) & void, 0, labels))


def test_colours_that_are_no_ids_are_refused(tmp_path):
    path = tmp_path / "colours.png"
    Image.new("RGB", (4, 3), (255, 200, 0)).save(path)
    with pytest.raises(InputError, match=naming("colours.png", "colours", "save ids")):
        read_labels(path)


def test_ids_beyond_a_byte_are_refused(tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.full((3, 4), 300, np.uint16)).save(path)
    with pytest.raises(InputError, match=naming("wide.png", "300", "255")):
        read_labels(path)


@pytest.mark.parametrize("value", [0x1234, 0xFFFF])
def test_of_16_bits_the_upper_eight_are_read(tmp_path, value):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((3, 4), value, np.uint16)).save(path)
    assert np.array_equal(read_image(path), np.full((3, 4, 3), value >> 8))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_images_are_read_byte_for_byte(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(PICTURE).save(path)
    assert np.array_equal(read_image(path), PICTURE)
    assert image_size(path) == (14, 9)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_a_picture_of_any_mode_is_read_as_rgb(tmp_path, mode):
    path = tmp_path / "picture.png"
    converted = Image.fromarray(PICTURE).convert(mode)
    converted.save(path)
    assert np.array_equal(read_image(path), np.asarray(converted.convert("RGB")))


@pytest.mark.parametrize("read", [read_image, read_labels, image_size])
@pytest.mark.parametrize("content", [None, b"", b"<html>no picture</html>"], ids=["missing", "empty", "text"])
def test_a_file_that_is_no_image_is_named(tmp_path, read, content):
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=naming("broken.png", "missing" if content is None else "cannot be read")):
        read(path)


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_image, "cut.jpg"), (read_image, "cut.png"), (read_image, "cut.webp"), (read_labels, "cut.png")],
)
def test_a_truncated_file_is_named_and_never_read_as_something_else(tmp_path, read, name):
    path = tmp_path / name
    labels = mask_of(range(20), (60, 80))
    Image.fromarray(labels if read is read_labels else labels[..., None] * np.array([7, 9, 11], np.uint8)).save(path)
    whole, content = read(path), path.read_bytes()
    for share in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=naming(name, "cannot be read")):
            read(path)
    path.write_bytes(content)
    assert np.array_equal(read(path), whole)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "b.png", "c.webp", "d.TIF", "e.bmp"])
def test_image_file_names(tmp_path, name):
    assert is_image(tmp_path / name)


@pytest.mark.parametrize("name", [".DS_Store", "._a.jpg", "Thumbs.db", "list.txt", "png"])
def test_other_file_names(tmp_path, name):
    assert not is_image(tmp_path / name)
