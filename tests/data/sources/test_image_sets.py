"""Images from folders, and the errors for sets that cannot be used."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.messages import naming
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.errors import InputError

LABELS = np.array([[0, 3, 3], [200, 0, 3]], np.uint8)


def save_pair(root, stem, suffixes=(".png", ".png"), labels=LABELS, image_size=None):
    """A pair whose picture holds the labels in its red channel."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    image = np.zeros((*labels.shape, 3), np.uint8)
    image[..., 0] = labels
    picture = Image.fromarray(image)
    picture.resize(image_size or picture.size).save(root / "images" / f"{stem}{suffixes[0]}")
    Image.fromarray(labels).save(root / "masks" / f"{stem}{suffixes[1]}")


class TestImageMaskFolder:
    def test_files_pair_by_stem_in_natural_order(self, tmp_path):
        for number, suffixes in [(10, (".png", ".bmp")), (1, (".bmp", ".png")), (2, (".tif", ".png"))]:
            save_pair(tmp_path, f"shot {number}", suffixes, LABELS // 100 * number)
        source = ImageMaskFolder(str(tmp_path))
        assert [source.name(index) for index in range(len(source))] == [
            f"{tmp_path.name}/shot {number}" for number in (1, 2, 10)
        ]
        for index, number in enumerate((1, 2, 10)):
            labelled = source.read(index)
            assert np.array_equal(labelled.labels, LABELS // 100 * number)
            assert np.array_equal(labelled.image[..., 0], labelled.labels)
            assert source.sizes(index) == ((3, 2), (3, 2))

    def test_stems_may_hold_dots(self, tmp_path):
        save_pair(tmp_path, "a.1")
        save_pair(tmp_path, "a.2")
        assert len(ImageMaskFolder(str(tmp_path))) == 2

    def test_files_that_are_no_images_are_ignored(self, tmp_path):
        save_pair(tmp_path, "a")
        for name in (".DS_Store", "._a.png", "Thumbs.db", "notes.txt"):
            (tmp_path / "images" / name).write_text("no picture")
        assert len(ImageMaskFolder(str(tmp_path))) == 1

    def test_folders_may_have_other_names(self, tmp_path):
        save_pair(tmp_path, "a")
        (tmp_path / "images").rename(tmp_path / "imgs")
        (tmp_path / "masks").rename(tmp_path / "gt")
        assert np.array_equal(ImageMaskFolder(str(tmp_path), images="imgs", masks="gt").read(0).labels, LABELS)

    @pytest.mark.parametrize(
        ("mask_ids", "expected"),
        [("each", LABELS), ("union", [[0, 1, 1], [1, 0, 1]]), ("regions", [[1, 2, 2], [3, 1, 2]])],
    )
    def test_what_an_id_means(self, tmp_path, mask_ids, expected):
        save_pair(tmp_path, "a")
        labels = ImageMaskFolder(str(tmp_path), mask_ids).read(0).labels
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, expected)

    def test_255_regions_are_distinct(self, tmp_path):
        labels = np.arange(255, dtype=np.uint8).reshape(15, 17)
        save_pair(tmp_path, "a", labels=labels)
        assert np.array_equal(ImageMaskFolder(str(tmp_path), "regions").read(0).labels, labels + 1)

    def test_unknown_meaning(self, tmp_path):
        save_pair(tmp_path, "a")
        with pytest.raises(InputError, match=naming("mask_ids='all'")):
            ImageMaskFolder(str(tmp_path), "all")

    def test_unpaired_files_are_listed(self, tmp_path):
        for stem in ("a", "b", "c"):
            save_pair(tmp_path, stem)
        (tmp_path / "masks" / "a.png").unlink()
        (tmp_path / "images" / "c.png").unlink()
        with pytest.raises(InputError, match=naming("2 files", "a.png has no mask", "c.png has no image")):
            ImageMaskFolder(str(tmp_path))

    def test_of_many_unpaired_files_the_first_ten_are_listed(self, tmp_path):
        for number in range(14):
            save_pair(tmp_path, str(number))
            if number != 5:
                (tmp_path / "masks" / f"{number}.png").unlink()
        with pytest.raises(InputError, match=naming("13 files", "0.png has no mask", "10.png has no mask")) as caught:
            ImageMaskFolder(str(tmp_path))
        assert re.findall(r"(\d+)\.png", str(caught.value)) == ["0", "1", "2", "3", "4", "6", "7", "8", "9", "10"]

    def test_two_images_of_one_stem_are_refused(self, tmp_path):
        save_pair(tmp_path, "a")
        save_pair(tmp_path, "a", (".bmp", ".png"))
        with pytest.raises(InputError, match=naming("a.")):
            ImageMaskFolder(str(tmp_path))

    @pytest.mark.parametrize("folder", ["images", "masks"])
    @pytest.mark.parametrize("empty", [False, True])
    def test_a_missing_or_empty_folder_is_named(self, tmp_path, folder, empty):
        save_pair(tmp_path, "a")
        (tmp_path / folder / "a.png").unlink()
        if not empty:
            (tmp_path / folder).rmdir()
        with pytest.raises(InputError, match=naming(folder, "holds no images" if empty else "not found")):
            ImageMaskFolder(str(tmp_path))

    def test_a_mask_of_another_size_is_named_when_read(self, tmp_path):
        save_pair(tmp_path, "good")
        save_pair(tmp_path, "tall", image_size=(3, 4))
        source = ImageMaskFolder(str(tmp_path))
        assert source.sizes(1) == ((3, 4), (3, 2))
        with pytest.raises(InputError, match=naming("tall.png", "3x2", "3x4")):
            source.read(1)
