"""LabelMe files of some frames become those of all frames, with their labels and groups, and without overwriting."""

import json

import numpy as np
import pytest
from PIL import Image

from integrations import labelme
from tests.segmentation.made import write_checkpoint, write_frames
from vosmem.errors import InputError

COUNT, SIZE = 4, (48, 80)
SHAPES = (("dog", None, [[10, 8], [40, 8], [40, 30], [10, 30]]), ("cat", 5, [[50, 20], [75, 20], [60, 44]]))


@pytest.fixture
def folder(tmp_path):
    """Frames, one of which has a LabelMe file."""
    write_frames(tmp_path / "frames", tmp_path / "unused.png", COUNT, SIZE)
    write_checkpoint(tmp_path / "tiny.ckpt")
    draw(tmp_path / "frames" / "00001.json", SHAPES)
    return tmp_path


def draw(path, shapes):
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {"label": label, "group_id": group, "points": points, "shape_type": "polygon", "flags": {}}
            for label, group, points in shapes
        ],
        "imagePath": f"{path.stem}.png",
        "imageData": None,
        "imageHeight": SIZE[0],
        "imageWidth": SIZE[1],
    }
    path.write_text(json.dumps(content))


def propagate(folder, output="out", *options):
    options = ("--weights", str(folder / "tiny.ckpt"), "--device", "cpu", "--direction", "both", *options)
    return labelme.propagate(folder / "frames", folder / output, (*options, "--write", "masks"))


def read(folder, t):
    return json.loads((folder / "frames" / f"{t:05d}.json").read_text())


def test_every_other_frame_gets_a_file_of_the_same_labels(folder):
    before = read(folder, 1)
    assert propagate(folder) == COUNT - 1
    assert read(folder, 1) == before
    found = {(shape["label"], shape["group_id"]) for t in (0, 2, 3) for shape in read(folder, t)["shapes"]}
    assert found and found <= {("dog", None), ("cat", 5)}
    for t in (0, 2, 3):
        assert read(folder, t)["imagePath"] == f"{t:05d}.png"
        ids = np.asarray(Image.open(folder / "out" / "masks" / f"{t:05d}.png"))
        drawn = {label for label, number in (("dog", 1), ("cat", 2)) if (ids == number).any()}
        assert {shape["label"] for shape in read(folder, t)["shapes"]} == drawn


def test_a_changed_file_is_given_and_the_others_are_replaced(folder):
    propagate(folder)
    changed = read(folder, 3)
    changed["shapes"] = read(folder, 1)["shapes"]
    (folder / "frames" / "00003.json").write_text(json.dumps(changed))
    (folder / "frames" / "00002.json").unlink()
    assert propagate(folder, "again") == COUNT - 2
    assert read(folder, 3) == changed
    record = json.loads((folder / "again" / "run.json").read_text())
    assert record["about"]["input"]["masks_used"] == ["00001.json", "00003.json"]


def test_frames_that_are_left_out_get_no_file(folder):
    assert propagate(folder, "out", "--frames", "1:3") == 1
    assert sorted(path.stem for path in (folder / "frames").glob("*.json")) == ["00001", "00002"]


def test_frames_without_shapes_are_an_error(folder):
    (folder / "frames" / "00001.json").unlink()
    with pytest.raises(InputError, match=r"no frame of .* has shapes: draw"):
        propagate(folder)
    (folder / "frames" / "00000.json").write_text("[]")
    with pytest.raises(InputError, match=r"00000.json' is no LabelMe file"):
        propagate(folder)


def test_labelme_opens_and_saves_the_files(folder, tmp_path):
    opened = pytest.importorskip("labelme").LabelFile
    propagate(folder)
    path = folder / "frames" / "00002.json"
    file = opened(str(path))
    assert file.image_data and {shape["label"] for shape in file.shapes} <= {"dog", "cat"}
    content = read(folder, 2)
    assert file.other_data == {labelme.DIGEST: content[labelme.DIGEST]}  # kept when LabelMe saves the file
    assert labelme._digest(file.shapes) == content[labelme.DIGEST]
