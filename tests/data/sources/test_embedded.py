"""The embedded photographs: what the annotations promise of the pictures that scikit-image brings."""

import hashlib
import json
from importlib.resources import files

import numpy as np
import pytest

from vosmem.data.sources.checks import check_images
from vosmem.data.sources.coco import embedded_images
from vosmem.errors import InputError

SPLITS = ("train", "val")


@pytest.fixture(scope="module")
def sets():
    """Both sides, with instances of every size."""
    return {split: embedded_images(split, min_area=0.0) for split in SPLITS}


@pytest.fixture(scope="module")
def annotations():
    return json.loads((files("vosmem.data") / "embedded_annotations.json").read_text())


def names(source):
    return [source.name(index) for index in range(len(source))]


def test_every_photograph_is_in_one_split(sets, annotations):
    assert sorted(names(sets["train"]) + names(sets["val"])) == sorted(e["file_name"] for e in annotations["images"])


def test_no_photograph_is_in_both_splits_under_two_names(sets):
    def contents(source):
        return {hashlib.sha256(source.read(index).image.tobytes()).digest() for index in range(len(source))}

    assert len(contents(sets["train"]) | contents(sets["val"])) == len(sets["train"]) + len(sets["val"])


def test_both_views_of_the_motorcycle_are_for_training(sets):
    assert {"motorcycle_left.png", "motorcycle_right.png"} <= set(names(sets["train"]))


def test_there_is_something_to_validate_on(sets):
    assert len(sets["val"]) >= 3


@pytest.mark.parametrize("split", SPLITS)
def test_every_image_has_the_annotated_size(sets, split):
    check_images(sets[split])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("min_area", [0.0, 3000.0])
def test_every_instance_of_the_area_is_seen(annotations, split, min_area):
    source = embedded_images(split, min_area)
    areas = {entry["file_name"]: [] for entry in annotations["images"]}
    file_names = {entry["id"]: entry["file_name"] for entry in annotations["images"]}
    for annotation in annotations["annotations"]:
        areas[file_names[annotation["image_id"]]].append(annotation["area"])
    for index, name in enumerate(names(source)):
        count = sum(area >= min_area for area in areas[name])
        assert np.unique(source.read(index).labels).tolist() == list(range(count + 1)), name


def test_every_polygon_is_inside_its_image(annotations):
    sizes = {entry["id"]: (entry["width"], entry["height"]) for entry in annotations["images"]}
    for annotation in annotations["annotations"]:
        for part in annotation["segmentation"]:
            points = np.array(part).reshape(-1, 2)
            assert len(points) >= 3, annotation["id"]
            assert (points >= 0).all(), annotation["id"]
            assert (points <= sizes[annotation["image_id"]]).all(), annotation["id"]


def test_area_and_box_are_those_of_the_polygons(annotations):
    for annotation in annotations["annotations"]:
        parts = [np.array(part).reshape(-1, 2) for part in annotation["segmentation"]]
        assert annotation["area"] == pytest.approx(sum(map(shoelace, parts)), rel=0.05), annotation["id"]
        low, high = np.concatenate(parts).min(axis=0), np.concatenate(parts).max(axis=0)
        assert annotation["bbox"] == pytest.approx([*low, *(high - low)], abs=1.5), annotation["id"]


def shoelace(points):
    """Area of a polygon."""
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    return abs((x * next_y - next_x * y).sum()) / 2


def test_an_unknown_split_is_named():
    with pytest.raises(InputError, match=r"\A.*embedded_annotations\.json.*'test'.*\Z"):
        embedded_images("test")
