"""Errors before training for images that cannot be used."""

import re

import pytest
from PIL import Image

from vosmem.data.sources.checks import check_images
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.data.sources.joined import JoinedImages
from vosmem.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Makes a set of 6x4 images; the given masks have another size."""

    def make(count, wrong=()):
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir()
        for index in range(count):
            Image.new("RGB", (6, 4)).save(tmp_path / "images" / f"n{index}.png")
            Image.new("L", (6, 5) if index in wrong else (6, 4)).save(tmp_path / "masks" / f"n{index}.png")
        return tmp_path

    return make


def message_of(source):
    with pytest.raises(InputError, match=r"\A.*\Z") as caught:
        check_images(source)
    return str(caught.value)


def named(message):
    """Names of images in the message, in its order, each once."""
    return list(dict.fromkeys(re.findall(r"\bn\d+\b", message)))


def test_good_images_pass(folder):
    check_images(ImageMaskFolder(str(folder(3))))


def test_every_kind_of_fault_is_listed_and_good_images_are_not(folder):
    root = folder(8, wrong=[1, 6])
    source = ImageMaskFolder(str(root))
    (root / "images" / "n2.png").write_text("no picture")
    (root / "masks" / "n5.png").write_bytes(b"")
    (root / "images" / "n7.png").unlink()
    message = message_of(source)
    assert named(message) == ["n1", "n2", "n5", "n6", "n7"]
    for part in ("5 of 8 images", "images/n2.png", "masks/n5.png", "image 6x4, mask 6x5", "missing"):
        assert part in message


@pytest.mark.parametrize("faulty", [10, 11, 14])
def test_the_first_ten_are_named_and_the_others_counted(folder, faulty):
    message = message_of(ImageMaskFolder(str(folder(15, wrong=range(faulty)))))
    assert f"{faulty} of 15 images" in message
    assert named(message) == [f"n{index}" for index in range(10)]
    assert ("more" in message) == (faulty > 10)
    assert faulty == 10 or f"and {faulty - 10} more" in message


def test_joined_sets_are_checked_whole(folder):
    source = ImageMaskFolder(str(folder(2, wrong=[1])))
    assert "2 of 4 images" in message_of(JoinedImages({"one": source, "other": source}))
