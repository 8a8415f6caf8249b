"""Masks on disk: the folders that are searched, and objects that appear late."""

import re

import numpy as np
import pytest

from tests.messages import naming
from vosmem.cli import score
from vosmem.errors import InputError
from vosmem.evaluation.scorers import score_folders
from vosmem.inference.output.mask_writer import write_labels

FRAMES = [f"f_{t:04d}" for t in range(5)]


def write_masks(folder, late=()):
    """Masks of object 1 in all frames, and of each further object from its frame on."""
    for t, name in enumerate(FRAMES):
        ids = np.zeros((12, 24), np.uint8)
        ids[2:10, 2:8] = 1
        for number, (object_id, at) in enumerate(late, start=1):
            ids[2:6, 4 + 6 * number : 8 + 6 * number] = object_id * (t >= at)
        write_labels(folder / f"{name}.png", ids)


@pytest.fixture
def truth(tmp_path):
    """Ground truth of two sequences."""
    for name in "ab":
        write_masks(tmp_path / "truth" / name)
    return tmp_path / "truth"


LAYOUTS = {
    "one folder a sequence": "{}",
    "of vosmem segment": "{}/masks",
    "of vosmem evaluate": "masks/{}",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_masks_are_found_where_every_command_writes_them(truth, tmp_path, layout):
    out = tmp_path / "out"
    for name in "ab":
        write_masks(out / layout.format(name))
        (out / name / "objects" / "1").mkdir(parents=True)
    write_labels(out / "a" / "first_mask.png", np.zeros((12, 24), np.uint8))  # is no frame's
    assert [(own.sequence, own.values["J"].tolist()) for own in score_folders(truth, out)] == [
        (name, [1.0] * 3) for name in "ab"
    ]


@pytest.mark.parametrize("layout", ["", "masks", *(layout.format("a") for layout in LAYOUTS.values())])
def test_masks_of_one_video_need_no_folder_of_its_name(truth, tmp_path, layout):
    write_masks(tmp_path / "out" / layout)
    write_labels(tmp_path / "out" / "first_mask.png", np.zeros((12, 24), np.uint8))
    (own,) = score_folders(truth / "a", tmp_path / "out")
    assert own.sequence == "a" and own.values["J"].tolist() == [1.0] * 3
    with pytest.raises(InputError, match=r"sequence 'b'|masks of one video: give the folder of its ground truth"):
        score_folders(truth, tmp_path / "out")


def test_folders_without_masks_are_named(truth, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=naming("empty", "holds no masks and no sequence folders")):
        score_folders(tmp_path / "empty", truth)
    with pytest.raises(InputError, match=naming("sequence 'a'", "not found", "empty/a")):
        score_folders(truth, tmp_path / "empty")


def test_late_objects_are_named_or_scored_from_the_frame_after_their_first_mask(tmp_path, capsys):
    write_masks(tmp_path / "truth" / "a", late=[(7, 2), (9, 1)])
    write_masks(tmp_path / "out" / "a", late=[(7, 2), (9, 1)])
    folders = [str(tmp_path / name) for name in ("truth", "out")]
    score.run([*folders, "--output", str(tmp_path / "first.json")])
    reported = capsys.readouterr().err
    assert re.match(naming("warning", "'a'", "objects 9, 7", "--late-objects"), reported.rstrip("\n"))
    score.run([*folders, "--late-objects", "--output", str(tmp_path / "all.json")])
    assert capsys.readouterr().err == ""
    scored = {
        own.object_id: len(own.values["J"])
        for own in score_folders(*(tmp_path / n for n in ("truth", "out")), False, 0, True)
    }
    assert scored == {1: 3, 9: 2, 7: 1}
    assert [(tmp_path / f"{name}.csv").read_text().count("\n") for name in ("first", "all")] == [2, 4]


def test_a_first_mask_without_objects_says_how_to_score_late_ones(tmp_path):
    write_masks(tmp_path / "truth" / "a", late=[(7, 2)])
    write_labels(tmp_path / "truth" / "a" / f"{FRAMES[0]}.png", np.zeros((12, 24), np.uint8))
    with pytest.raises(InputError, match=naming("'a'", "first frame f_0000 holds no object", "--late-objects")):
        score_folders(tmp_path / "truth", tmp_path / "truth")
