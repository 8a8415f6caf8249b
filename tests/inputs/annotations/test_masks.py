"""Masks of COCO and LabelMe files."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as reference

from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.annotations.masks import AnnotationMasks

HEIGHT, WIDTH = 20, 30


def block(y0, y1, x0, x1):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y0:y1, x0:x1] = 1
    return mask


def compressed(mask):
    encoded = reference.encode(np.asfortranarray(mask))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def plain(mask):
    column = np.concatenate([[0], mask.T.ravel(), [2]])
    changes = np.flatnonzero(np.diff(column))
    return {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], changes])).tolist()}


def outline(y0, y1, x0, x1):
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


FORMS = {
    "compressed": lambda *box: compressed(block(*box)),
    "plain": lambda *box: plain(block(*box)),
    "polygon": outline,
}


def coco(tmp_path, annotations, names=("clip/00000.jpg", "clip/00003.jpg"), **more):
    content = {
        "images": [{"id": 7 + k, "file_name": n, "height": HEIGHT, "width": WIDTH} for k, n in enumerate(names)],
        "annotations": [{"id": k, "category_id": 1, **entry} for k, entry in enumerate(annotations)],
        **more,
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return AnnotationMasks([path])


@pytest.mark.parametrize("form", FORMS)
def test_coco_is_drawn_from_each_form_of_segmentation(tmp_path, form):
    draw = FORMS[form]
    masks = coco(
        tmp_path,
        [
            {"image_id": 7, "track_id": 4, "segmentation": draw(2, 8, 3, 9)},
            {"image_id": 7, "track_id": 300, "segmentation": draw(10, 19, 12, 30)},
            {"image_id": 8, "track_id": 300, "segmentation": draw(0, 20, 0, 5)},
        ],
    )
    assert list(masks.stems) == ["00000", "00003"]
    first = masks.read("00000")
    assert (first.kind, first.ids.dtype, masks.notes) == ("COCO", np.uint16, ())
    assert np.array_equal(first.ids, 4 * block(2, 8, 3, 9) + 300 * block(10, 19, 12, 30).astype(int))
    assert np.array_equal(masks.read("00003").ids, 300 * block(0, 20, 0, 5).astype(int))


@pytest.mark.parametrize(
    ("keys", "ids", "message"),
    [
        ([{"track_id": 9, "instance_id": 1}, {"track_id": 2, "instance_id": 2}], [9, 2], ""),
        ([{"instance_id": 5}, {"instance_id": 6}], [5, 6], ""),
        ([{"track_id": 0}, {"track_id": 3}], [1, 4], "starts at 0"),
        ([{}, {"track_id": 8}], [9, 8], "1 annotation without track_id"),
    ],
)
def test_object_id_of_an_annotation(tmp_path, keys, ids, message):
    boxes = [(0, 4, 0, 4), (6, 12, 6, 12)]
    entries = [{"image_id": 7, "segmentation": outline(*b), **k} for b, k in zip(boxes, keys, strict=True)]
    masks = coco(tmp_path, entries)
    drawn = masks.read("00000").ids
    assert [drawn[1, 1], drawn[8, 8]] == ids
    assert message in "".join(masks.notes)


def test_without_track_ids_a_note_says_that_objects_are_numbered(tmp_path):
    entries = [{"image_id": image, "segmentation": outline(0, 4, 0, 4)} for image in (7, 8)]
    assert "track_id" in coco(tmp_path, entries).notes[0]


def test_small_objects_are_drawn_in_front(tmp_path):
    small = {"image_id": 7, "area": 9, "segmentation": outline(5, 8, 5, 8)}
    large = {"image_id": 7, "area": 400, "segmentation": outline(0, 20, 0, 20)}
    ids = coco(tmp_path, [small, large]).read("00000").ids
    assert (ids == 1).sum() == 9 and (ids == 2).sum() == 391


@pytest.mark.parametrize("form", FORMS)
def test_a_crowd_annotation_is_an_object_also_next_to_polygons(tmp_path, form):
    brush = {"image_id": 7, "iscrowd": 1, "track_id": 5, "segmentation": FORMS[form](2, 8, 3, 9)}
    drawn = {"image_id": 7, "iscrowd": 0, "track_id": 6, "segmentation": outline(10, 19, 12, 30)}
    for entries, ids in (([brush], {0, 5}), ([brush, drawn], {0, 5, 6})):
        masks = coco(tmp_path, entries)
        assert set(np.unique(masks.read("00000").ids)) == ids
        assert [note.decision for note in masks.notes] == [Decision.CROWDS_TAKEN] and masks.notes[0].warns


NESTINGS = {
    "top": dict,
    "attributes": lambda own: {"attributes": own},
    "extra": lambda own: {"extra": own},
    "list": lambda own: {"attributes": [{"name": name, "value": value} for name, value in own.items()]},
}


@pytest.mark.parametrize("where", NESTINGS)
@pytest.mark.parametrize("key", ["track_id", "trackId", "Track ID", "instance_id"])
@pytest.mark.parametrize(
    ("values", "ids", "decisions"),
    [
        ([4, 9], [4, 9], []),
        (["4", "9"], [4, 9], []),
        ([0, 1], [1, 2], [Decision.IDS_FROM_ZERO]),
        (["0", "1"], [1, 2], [Decision.IDS_FROM_ZERO]),
        (["fish", "crab"], [1, 2], [Decision.OBJECTS_NAMED]),
        (["fish", 7], [1, 7], [Decision.OBJECTS_NAMED]),
        ([3.0, 8.0], [3, 8], []),
    ],
)
def test_object_ids_follow_the_track_id(tmp_path, where, key, values, ids, decisions):
    boxes = [(0, 4, 0, 4), (6, 12, 6, 12)]
    entries = [
        {"image_id": image, "segmentation": outline(*boxes[k]), **NESTINGS[where](own)}
        for image, order in ((7, (0, 1)), (8, (1, 0)))
        for k in order
        for own in [{key: values[k], "occluded": False}]
    ]
    masks = coco(tmp_path, entries)
    for stem in masks.stems:
        drawn = masks.read(stem).ids
        assert [drawn[1, 1], drawn[8, 8]] == ids
    assert [note.decision for note in masks.notes] == decisions


def test_a_negative_track_is_none(tmp_path):
    boxes = [(0, 4, 0, 4), (6, 12, 6, 12)]
    tracks = zip((-1, 8), boxes, strict=True)
    masks = coco(tmp_path, [{"image_id": 7, "track_id": t, "segmentation": outline(*b)} for t, b in tracks])
    drawn = masks.read("00000").ids
    assert [drawn[1, 1], drawn[8, 8]] == [9, 8]
    assert [note.decision for note in masks.notes] == [Decision.SOME_WITHOUT_ID]


def test_a_track_with_two_labels_in_one_image_is_two_objects(tmp_path):
    boxes = [(0, 4, 0, 4), (6, 12, 6, 12)]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    entries = [
        {"image_id": image, "track_id": 5, "category_id": k + 1, "segmentation": outline(*boxes[k])}
        for image, order in ((7, (0, 1)), (8, (1, 0)))
        for k in order
    ]
    masks = coco(tmp_path, entries, categories=categories)
    for stem in masks.stems:
        drawn = masks.read(stem).ids
        assert [drawn[1, 1], drawn[8, 8]] == [1, 2]
    assert masks.notes[0].decision is Decision.TRACKS_SHARED and masks.notes[0].warns


def test_labels_that_no_image_has_twice_identify_the_objects(tmp_path):
    boxes = [(0, 4, 0, 4), (6, 12, 6, 12)]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    entries = [
        {"image_id": image, "category_id": k + 1, "segmentation": outline(*boxes[k])}
        for image, order in ((7, (0, 1)), (8, (1, 0)))
        for k in order
    ]
    masks = coco(tmp_path, entries, categories=categories)
    assert [masks.read(stem).ids[1, 1] for stem in masks.stems] == [1, 1]
    assert [note.decision for note in masks.notes] == [Decision.OBJECTS_BY_LABEL]


def test_an_outline_without_area_is_left_out_and_the_others_are_drawn(tmp_path):
    entry = {"image_id": 7, "track_id": 2, "segmentation": [[1, 1, 5, 5], *outline(2, 8, 3, 9)]}
    masks = coco(tmp_path, [entry])
    assert np.array_equal(masks.read("00000").ids, 2 * block(2, 8, 3, 9))
    assert [note.decision for note in masks.notes] == [Decision.OUTLINES_LEFT_OUT]


BAD = {
    "no outline": {"segmentation": []},
    "null": {"segmentation": None},
    "two points": {"segmentation": [[1, 1, 5, 5]]},
    "no list of outlines": {"segmentation": [1, 1, 5, 1, 5, 5]},
    "odd": {"segmentation": [[1, 1, 5, 1, 5, 5, 9]]},
    "only a box": {"segmentation": {}},
    "no image": {"image_id": 99},
    "no number": {"segmentation": [["a", "b", "c", "d", "e", "f"]]},
    "damaged": {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "~~"}},
    "no area": {"area": "large"},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_annotation_is_left_out_with_a_warning(tmp_path, bad):
    good = {"image_id": 7, "track_id": 2, "segmentation": outline(2, 8, 3, 9)}
    masks = coco(tmp_path, [{**good, "track_id": 3, **bad}, good])
    assert np.array_equal(masks.read("00000").ids, 2 * block(2, 8, 3, 9))
    (note,) = masks.notes
    assert note.decision is Decision.ENTRIES_LEFT_OUT and note.warns and "annotation 0: " in note


def test_images_are_found_by_ids_that_are_strings(tmp_path):
    masks = coco(tmp_path, [{"image_id": "8", "track_id": 2, "segmentation": outline(2, 8, 3, 9)}])
    assert list(masks.stems) == ["00003"] and masks.notes == ()


def labelme(path, shapes, **more):
    content = {"shapes": shapes, "imageHeight": HEIGHT, "imageWidth": WIDTH, "imagePath": f"{path.stem}.jpg", **more}
    path.write_text(json.dumps(content))
    return path


def shape(label, points, kind="polygon", group=None):
    return {"label": label, "points": points, "shape_type": kind, "group_id": group}


SQUARE = [[2, 2], [8, 2], [8, 8], [2, 8]]


@pytest.mark.parametrize(
    ("kind", "points", "area"),
    [("polygon", SQUARE, 36), ("rectangle", [[8, 8], [2, 2]], 36), ("circle", [[10, 10], [10, 16]], 36 * np.pi)],
)
def test_labelme_shapes(tmp_path, kind, points, area):
    masks = AnnotationMasks([labelme(tmp_path / "00002.json", [shape("cat", points, kind)])])
    assert list(masks.stems) == ["00002"]
    assert abs(masks.read("00002").ids.sum() - area) < 4
    assert masks.read("00002").kind == "LabelMe"


def test_labelme_objects_keep_their_ids_over_the_files(tmp_path):
    left, right, below = SQUARE, [[12, 2], [18, 2], [18, 8]], [[2, 12], [8, 12], [8, 18]]
    paths = [
        labelme(tmp_path / "0.json", [shape("cat", left), shape("dog", right, group=1), shape("dog", below, group=2)]),
        labelme(tmp_path / "1.json", [shape("dog", left, group=2), shape("bird", right), shape("cat", below)]),
    ]
    masks = AnnotationMasks(paths)
    spots = ([4, 3, 13], [4, 17, 7])
    assert masks.read("0").ids[spots].tolist() == [1, 2, 3]
    assert masks.read("1").ids[spots].tolist() == [3, 4, 1]


def test_a_numeric_label_is_the_object_id(tmp_path):
    masks = AnnotationMasks(
        [labelme(tmp_path / "0.json", [shape("7", SQUARE), shape("0", [[20, 2], [28, 2], [28, 9]])])]
    )
    assert np.unique(masks.read("0").ids).tolist() == [0, 1, 7]


def png(inside):
    buffer = io.BytesIO()
    Image.fromarray(inside).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(("left", "top"), [(4, 3), (-2, 3), (4, -1), (27, 17)])
def test_labelme_masks_are_pasted_and_clipped(tmp_path, left, top):
    inside = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1]], np.uint8)
    points = [[left, top], [left + 3, top + 2]]
    entry = {**shape("cat", points, "mask"), "mask": png(inside * 255)}
    whole = np.zeros((HEIGHT + 20, WIDTH + 20), np.uint16)
    whole[10 + top : 13 + top, 10 + left : 14 + left] = inside
    masks = AnnotationMasks([labelme(tmp_path / "0.json", [entry])])
    assert np.array_equal(masks.read("0").ids, whole[10:-10, 10:-10])
    assert [note.decision for note in masks.notes] == [Decision.OBJECTS_NAMED]


@pytest.mark.parametrize(
    "bad",
    [
        shape("eye", [[3, 3], [5, 5]], "mask"),
        {**shape("eye", [[3, 3], [5, 5]], "mask"), "mask": "no picture"},
        {**shape("eye", [[3, 3], [5, 5]], "mask"), "mask": png(np.ones((9, 9), np.uint8))},
        shape("eye", [[3, 3], [5, 5]]),
        shape("eye", [[3, 3], [5, 5]], "cuboid"),
        {"points": SQUARE},
    ],
    ids=["no mask", "no picture", "another size", "two points", "unknown", "no label"],
)
def test_one_bad_shape_is_left_out_with_a_warning(tmp_path, bad):
    masks = AnnotationMasks([labelme(tmp_path / "0.json", [bad, shape("cat", SQUARE)])])
    assert np.unique(masks.read("0").ids).tolist() == [0, 1]
    note, names = masks.notes
    assert note.decision is Decision.ENTRIES_LEFT_OUT and note.warns and "shape 0: " in note
    assert names == "label is not a number: 'cat' is object 1"


def test_shapes_without_area_are_left_out_with_a_note(tmp_path):
    path = labelme(tmp_path / "0.json", [shape("cat", SQUARE), shape("eye", [[3, 3]], "point")])
    masks = AnnotationMasks([path])
    assert np.unique(masks.read("0").ids).tolist() == [0, 1] and "point" in masks.notes[0]


@pytest.mark.parametrize("name", ["../../etc/0.jpg", "/etc/0.png", "C:\\frames\\0.jpg", "..\\0.jpg", "0"])
def test_file_names_in_annotations_are_used_only_as_stems(tmp_path, name):
    assert list(AnnotationMasks([labelme(tmp_path / "a.json", [shape("cat", SQUARE)], imagePath=name)]).stems) == ["0"]
    entry = {"image_id": 7, "segmentation": outline(0, 4, 0, 4)}
    assert list(coco(tmp_path, [entry], names=[name]).stems) == ["0"]


GOOD = {"image_id": 7, "segmentation": [[0, 0, 5, 0, 5, 5]]}


@pytest.mark.parametrize(
    "damage",
    [
        {"segmentation": [[0, 0, 5, 0]]},
        {"segmentation": [[0, 0, 5, 0, float("nan"), 5]]},
        {"segmentation": [[0, 0, 5, 0, 5]]},
        {"segmentation": "none"},
        {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [1, 2]}},
        {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [-600, 1200]}},
        {"segmentation": {"size": [HEIGHT, WIDTH], "counts": "~~~"}},
        {"segmentation": {"counts": [600]}},
        {"track_id": 2**20},
    ],
)
def test_annotations_that_cannot_be_drawn_are_reported(tmp_path, damage):
    with pytest.raises(InputError, match=naming("instances.json")):
        coco(tmp_path, [{**GOOD, **damage}]).read("00000")


@pytest.mark.parametrize(
    "content", ["", "[1, 2]", "{}", '{"shapes": 3}', '{"images": 1, "annotations": []}', "[" * 9999]
)
def test_other_json_is_rejected_with_its_file_name(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=naming("a.json")):
        AnnotationMasks([tmp_path / "a.json"])


def test_run_lengths_of_another_size_are_rejected(tmp_path):
    masks = coco(tmp_path, [{**GOOD, "segmentation": {"size": [2, 3], "counts": [6]}}])
    with pytest.raises(InputError, match=naming("instances.json[00000]", "3x2", "30x20")):
        masks.read("00000")
