"""The readers of other tools find the masks and ids that were written; each test needs the tool's package."""

import json
import shutil

import numpy as np
import pytest

from tests.segmentation.formats.test_formats import NUM_FRAMES, edges, written  # noqa: F401 - a fixture


def drawn(shape, masks, ids):
    found = np.zeros(shape, int)
    for mask, object_id in zip(masks, ids, strict=True):
        found[np.asarray(mask, bool)] = object_id
    return found


def test_supervision_reads_coco_and_yolo(written):  # noqa: F811
    supervision = pytest.importorskip("supervision")
    images, out = str(written.out / "images"), written.out
    coco = supervision.DetectionDataset.from_coco(images, str(out / "coco.json"), force_masks=True)
    yolo = supervision.DetectionDataset.from_yolo(images, str(out / "labels"), str(out / "data.yaml"), force_masks=True)
    assert yolo.classes == ["3", "200"] and len(coco) == len(yolo) == NUM_FRAMES
    for (path, _, exact), (_, _, outlined) in zip(coco, yolo, strict=True):
        ids = written.ids[int(path[-7:-4])]
        if ids.any():
            assert np.array_equal(drawn(ids.shape, exact.mask, [1] * len(exact)), ids > 0)
            assert {yolo.classes[index] for index in outlined.class_id} == set(map(str, np.unique(ids[ids > 0])))


def test_datumaro_reads_cvat(written, tmp_path):  # noqa: F811
    datumaro = pytest.importorskip("datumaro")
    shutil.copytree(written.out / "images", tmp_path / "images")
    shutil.copy(written.out / "cvat.xml", tmp_path / "annotations.xml")
    items = list(datumaro.Dataset.import_from(str(tmp_path), "cvat"))
    assert len(items) == NUM_FRAMES
    for item in items:
        ids = written.ids[int(item.id.split(".")[0])]
        found = drawn(ids.shape, [one.image for one in item.annotations], [one.group for one in item.annotations])
        assert np.array_equal(found, ids)


def test_labelme_opens_shapes_with_their_picture(written):  # noqa: F811
    labelme = pytest.importorskip("labelme")
    for t in range(NUM_FRAMES):
        path = written.out / "labelme" / f"{t:03d}.json"
        opened, ids = labelme.LabelFile(str(path)), written.ids[t]
        assert len(opened.shapes) == len(json.loads(path.read_text())["shapes"])
        shapes = json.loads(path.read_text())["shapes"]
        found, _ = labelme.utils.shapes_to_label(ids.shape, shapes, {"_background_": 0, "3": 3, "200": 200})
        assert not ((found != ids) & ~edges(ids)).any()
