"""Stills from folders and from COCO files, sets joined and divided, and what is said of sets that cannot be used."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vosmem.data.coco import CocoInstances
from vosmem.data.sets import CachedStills, JoinedStills, Subset, repeats
from vosmem.data.stills import ImageMaskFolder, Still
from vosmem.errors import InputError

LABELS = np.array([[0, 3, 3], [200, 0, 3]], np.uint8)


def naming(*parts):
    """Matches one line that holds the parts in this order."""
    return r"\A" + "".join(f".*{re.escape(part)}" for part in parts) + r".*\Z"


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
            still = source.read(index)
            assert np.array_equal(still.labels, LABELS // 100 * number)
            assert np.array_equal(still.image[..., 0], still.labels)
            assert source.sizes(index) == ((3, 2), (3, 2))

    def test_stems_may_hold_dots(self, tmp_path):
        save_pair(tmp_path, "a.1")
        save_pair(tmp_path, "a.2")
        assert len(ImageMaskFolder(str(tmp_path))) == 2

    def test_what_is_no_picture_is_overlooked(self, tmp_path):
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

    def test_255_regions_are_told_apart(self, tmp_path):
        labels = np.arange(255, dtype=np.uint8).reshape(15, 17)
        save_pair(tmp_path, "a", labels=labels)
        assert np.array_equal(ImageMaskFolder(str(tmp_path), "regions").read(0).labels, labels + 1)

    def test_unknown_meaning(self, tmp_path):
        save_pair(tmp_path, "a")
        with pytest.raises(InputError, match=naming("mask_ids='all'")):
            ImageMaskFolder(str(tmp_path), "all")

    def test_lone_files_are_listed(self, tmp_path):
        for stem in ("a", "b", "c"):
            save_pair(tmp_path, stem)
        (tmp_path / "masks" / "a.png").unlink()
        (tmp_path / "images" / "c.png").unlink()
        with pytest.raises(InputError, match=naming("2 files", "a.png has no mask", "c.png has no image")):
            ImageMaskFolder(str(tmp_path))

    def test_of_many_lone_files_the_first_ten_are_listed(self, tmp_path):
        for number in range(14):
            save_pair(tmp_path, str(number))
            if number != 5:
                (tmp_path / "masks" / f"{number}.png").unlink()
        with pytest.raises(InputError, match=naming("13 files", "0.png has no mask", "10.png has no mask")) as caught:
            ImageMaskFolder(str(tmp_path))
        assert re.findall(r"(\d+)\.png", str(caught.value)) == ["0", "1", "2", "3", "4", "6", "7", "8", "9", "10"]

    def test_two_pictures_of_one_stem_are_not_silently_one(self, tmp_path):
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
        with pytest.raises(InputError, match=naming(folder, "holds no pictures" if empty else "not found")):
            ImageMaskFolder(str(tmp_path))

    def test_a_mask_of_another_size_is_named_when_read(self, tmp_path):
        save_pair(tmp_path, "good")
        save_pair(tmp_path, "tall", image_size=(3, 4))
        source = ImageMaskFolder(str(tmp_path))
        assert source.sizes(1) == ((3, 4), (3, 2))
        with pytest.raises(InputError, match=naming("tall.png", "3x2", "3x4")):
            source.read(1)


def rectangle(rows, cols, size=(30, 40)):
    mask = np.zeros(size, np.uint8)
    mask[rows, cols] = 1
    return mask


def run_lengths(mask):
    """COCO's uncompressed form: lengths of runs of 0 and 1 in turn, down the columns, the first of 0."""
    flat = np.concatenate([[0], mask.ravel(order="F"), [1 - mask[-1, -1]]])
    ends = np.flatnonzero(np.diff(flat))
    return {"size": list(mask.shape), "counts": np.diff(ends, prepend=0).tolist()}


def polygon(top, left, bottom, right):
    return [[left, top, right, top, right, bottom, left, bottom]]


BIG, SMALL = rectangle(slice(2, 22), slice(4, 30)), rectangle(slice(10, 25), slice(20, 35))


class TestCocoInstances:
    @pytest.fixture
    def coco(self, tmp_path):
        """Writes a picture of 40x30 pixels with the given instances as JSON and opens it."""

        def open_coco(*annotations, files=(("b.png", "train"),), **options):
            images = [
                {"id": number, "file_name": name, "height": 30, "width": 40, "split": split}
                for number, (name, split) in enumerate(files)
            ]
            for name, _ in files:
                Image.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / name)
            filled = [
                {"id": number, "image_id": 0, "category_id": 1, "iscrowd": 0, **entry}
                for number, entry in enumerate(annotations, start=1)
            ]
            content = {"images": images, "annotations": filled, "categories": [{"id": 1, "name": "thing"}]}
            (tmp_path / "instances.json").write_text(json.dumps(content))
            return CocoInstances(str(tmp_path / "instances.json"), str(tmp_path), **options)

        return open_coco

    def test_polygons_and_run_lengths(self, coco):
        still = coco(
            {"segmentation": polygon(0, 2, 12, 17), "area": 180},
            {"segmentation": run_lengths(rectangle(slice(15, 30), slice(20, 40))), "area": 300},
        ).read(0)
        assert (still.image == (1, 2, 3)).all()
        expected = rectangle(slice(15, 30), slice(20, 40)) + 2 * rectangle(slice(0, 12), slice(2, 17))
        assert np.array_equal(still.labels, expected)

    def test_smaller_instances_stay_whole_in_front(self, coco):
        entries = [{"segmentation": run_lengths(mask), "area": int(mask.sum())} for mask in (SMALL, BIG)]
        expected = np.where(SMALL, 2, BIG)
        for order in (entries, entries[::-1]):
            assert np.array_equal(coco(*order).read(0).labels, expected)

    def test_crowds_and_specks_are_no_objects(self, coco):
        source = coco(
            {"segmentation": run_lengths(BIG), "area": 900, "iscrowd": 1},
            {"segmentation": polygon(1, 1, 4, 4), "area": 9},
            {"segmentation": run_lengths(SMALL), "area": 225},
            min_area=10.0,
        )
        assert np.array_equal(source.read(0).labels, SMALL)

    def test_only_pictures_of_the_split_that_have_an_instance(self, coco):
        files = (("b.png", "train"), ("c.png", "val"), ("a.png", "val"))
        entries = [{"segmentation": run_lengths(SMALL), "area": 225, "image_id": i} for i in (0, 1)]
        assert [source.name(0) for source in (coco(*entries, files=files, split=s) for s in ("train", "val"))] == [
            "b.png",
            "c.png",
        ]
        whole = coco(*entries, files=files)
        assert [whole.name(index) for index in range(len(whole))] == ["b.png", "c.png"]
        with pytest.raises(InputError, match=naming("instances.json", "'test'")):
            coco(*entries, files=files, split="test")

    def test_a_picture_of_another_size_is_named_when_read(self, coco, tmp_path):
        source = coco({"segmentation": run_lengths(SMALL), "area": 225})
        Image.new("RGB", (30, 40)).save(tmp_path / "b.png")
        assert source.sizes(0) == ((30, 40), (40, 30))
        with pytest.raises(InputError, match=naming("b.png", "30x40", "40x30")):
            source.read(0)

    @pytest.mark.parametrize(
        "content",
        [None, "no JSON", "[1, 2]", '{"images": [], "annotations": []}', '{"images": [{"id": 0}]}', '{"images": [{}]}'],
    )
    def test_a_file_that_holds_no_instances_is_named(self, tmp_path, content):
        if content is not None:
            (tmp_path / "instances.json").write_text(content)
        with pytest.raises(InputError, match=naming("instances.json")):
            CocoInstances(str(tmp_path / "instances.json"), str(tmp_path))

    @pytest.mark.parametrize("key", ["area", "segmentation"])
    def test_an_instance_that_lacks_a_key_is_no_stack_trace(self, coco, key):
        instance = {"segmentation": run_lengths(SMALL), "area": 225}
        with pytest.raises(InputError, match=naming("instances.json", key)):
            coco({name: value for name, value in instance.items() if name != key}).read(0)

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match=naming("nowhere")):
            CocoInstances(str(tmp_path / "instances.json"), str(tmp_path / "nowhere"))


class Names:
    """A set of stills that are told apart by their name, size and colour."""

    def __init__(self, prefix, count):
        self.prefix, self.count = prefix, count

    def __len__(self):
        return self.count

    def name(self, index):
        assert 0 <= index < self.count
        return f"{self.prefix}{index}"

    def read(self, index):
        return Still(np.full((1, 1, 3), 10 * self.prefix + index, np.uint8), np.zeros((1, 1), np.uint8))

    def sizes(self, index):
        return (self.prefix, index), (self.prefix, index)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_joined_sets_hold_every_still_once_in_order(counts):
    joined = JoinedStills({str(prefix): Names(prefix, count) for prefix, count in enumerate(counts)})
    expected = [(prefix, index) for prefix, count in enumerate(counts) for index in range(count)]
    assert [joined.sizes(index)[0] for index in range(len(joined))] == expected
    assert [joined.name(index) for index in range(len(joined))] == [f"{prefix}{index}" for prefix, index in expected]
    assert [int(joined.read(index).image[0, 0, 0]) for index in range(len(joined))] == [10 * p + i for p, i in expected]


def test_weights_reach_the_stills_through_other_sets():
    sources = {"a": Names(0, 3), "b": Subset(Names(1, 4), 2, held_out=True), "c": Names(2, 1)}
    joined = JoinedStills(sources, {"b": 0.5, "c": 5.0})
    assert repeats(joined).tolist() == [1, 1, 1, 0.5, 0.5, 5]
    assert repeats(CachedStills(Subset(joined, 3, held_out=False))).tolist() == [1, 1, 0.5, 5]
    nested = JoinedStills({"joined": joined, "d": Names(3, 1)}, {"joined": 2.0})
    assert repeats(nested).tolist() == [2, 2, 2, 1, 1, 10, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"c": 1.0}, ["'c'", "a, b"]), ({"a": 0.0}, ["0.0", "'a'"]), ({"b": -1.0}, ["-1.0", "'b'"])],
)
def test_weights_that_do_not_fit_the_sets(weights, message):
    with pytest.raises(InputError, match=naming(*message)):
        JoinedStills({"a": Names(0, 3), "b": Names(1, 4)}, weights)


def test_no_set_to_join():
    with pytest.raises(InputError, match=naming("no set")):
        JoinedStills({})


@given(st.integers(2, 30), st.integers(2, 8))
def test_held_out_and_kept_stills_are_all_stills_once(count, every):
    parts = [Subset(Names(7, count), every, held_out) for held_out in (True, False)]
    held_out, kept = [[part.sizes(index)[0][1] for index in range(len(part))] for part in parts]
    assert held_out == list(range(0, count, every))
    assert sorted(held_out + kept) == list(range(count))
    assert [parts[1].name(place) for place in range(len(kept))] == [f"7{index}" for index in kept]
    assert int(parts[1].read(0).image[0, 0, 0]) == 70 + kept[0]


@pytest.mark.parametrize(("count", "every"), [(4, 1), (1, 50)])
def test_nothing_left_to_train_on(count, every):
    with pytest.raises(InputError, match=naming(f"of {count}", f"every {every}")):
        Subset(Names(0, count), every, held_out=False)
