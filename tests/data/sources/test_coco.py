"""Images of a COCO file, and the errors for a file that cannot be used."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.messages import naming
from vosmem.data.sources.coco import CocoInstances
from vosmem.errors import InputError


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
        labelled = coco(
            {"segmentation": polygon(0, 2, 12, 17), "area": 180},
            {"segmentation": run_lengths(rectangle(slice(15, 30), slice(20, 40))), "area": 300},
        ).read(0)
        assert (labelled.image == (1, 2, 3)).all()
        expected = rectangle(slice(15, 30), slice(20, 40)) + 2 * rectangle(slice(0, 12), slice(2, 17))
        assert np.array_equal(labelled.labels, expected)

    def test_smaller_instances_stay_whole_in_front(self, coco):
        entries = [{"segmentation": run_lengths(mask), "area": int(mask.sum())} for mask in (SMALL, BIG)]
        expected = np.where(SMALL, 2, BIG)
        for order in (entries, entries[::-1]):
            assert np.array_equal(coco(*order).read(0).labels, expected)

    def test_crowds_and_tiny_instances_are_no_objects(self, coco):
        source = coco(
            {"segmentation": run_lengths(BIG), "area": 900, "iscrowd": 1},
            {"segmentation": polygon(1, 1, 4, 4), "area": 9},
            {"segmentation": run_lengths(SMALL), "area": 225},
            min_area=10.0,
        )
        assert np.array_equal(source.read(0).labels, SMALL)

    def test_only_images_of_the_split_with_an_instance(self, coco):
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

    def test_an_image_of_another_size_is_named_when_read(self, coco, tmp_path):
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
    def test_an_instance_without_a_key_is_named(self, coco, key):
        instance = {"segmentation": run_lengths(SMALL), "area": 225}
        with pytest.raises(InputError, match=naming("instances.json", key)):
            coco({name: value for name, value in instance.items() if name != key}).read(0)

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match=naming("missing")):
            CocoInstances(str(tmp_path / "instances.json"), str(tmp_path / "missing"))
