"""Boxes and points on the page: they make masks, correct masks, and can be undone."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.discs import overlap, two_discs
from tests.messages import naming
from vosmem.app.session_store import SessionStore
from vosmem.app.uploads import Limits
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts import first_mask
from vosmem.inference.sequences.streaming import Segmenter

FRAME, DISCS = two_discs()


@pytest.fixture
def discs(session, no_refinement):
    """A session with a video of two discs."""
    paths = [session.folder / f"{t}.png" for t in range(2)]
    for path in paths:
        Image.fromarray(FRAME).save(path)
    session.open(paths)
    return session


def test_points_make_a_mask_and_keep_other_objects(discs):
    discs.draw(0, 2, [(135, 5)], 3)
    discs.mark(0, 1, None, [(40, 40, 1)])
    assert overlap(discs.project.ids(0) == 1, DISCS[0]) > 0.9 and (discs.project.ids(0) == 2).any()
    made = discs.project.drawn.prompted[0][1]
    assert made.prompt.points == ((40.0, 40.0),) and made.base is None and made.quality > 0.9
    discs.mark(0, 1, None, [(40, 40, 1), (100, 40, 1)])
    assert overlap(discs.project.ids(0) == 1, DISCS[0] | DISCS[1]) > 0.9
    discs.mark(0, 1, None, [(40, 40, 1), (100, 40, 1), (100, 38, 0), (92, 40, 0), (108, 40, 0)])
    assert not (discs.project.ids(0) == 1)[38, 100]
    assert discs.undo() == 0 and len(discs.project.drawn.prompted[0][1].prompt.points) == 2
    assert overlap(discs.project.ids(0) == 1, DISCS[0] | DISCS[1]) > 0.9
    assert discs.undo() == 0 and discs.undo() == 0 and not discs.project.drawn.prompted[0]


def test_a_box_makes_a_mask_with_its_corners_in_any_order(discs):
    discs.mark(0, 1, (62, 62, 18, 18), [])
    assert overlap(discs.project.ids(0) == 1, DISCS[0]) > 0.9
    assert discs.project.drawn.prompted[0][1].prompt.box == (18, 18, 62, 62)


def test_points_correct_a_mask_that_was_drawn(discs):
    """Half of a disc is drawn. A point adds the rest, another removes it, and what is far away stays."""
    discs.draw(0, 1, [(30, 30), (30, 50)], 8)
    discs.draw(0, 1, [(130, 75)], 3)
    drawn = discs.project.ids(0) == 1
    assert 0 not in discs.project.drawn.prompted or not discs.project.drawn.prompted[0]
    discs.mark(0, 1, None, [(50, 40, 1)])
    corrected = discs.project.ids(0) == 1
    assert overlap(corrected[:, :70], DISCS[0][:, :70]) > 0.85 > overlap(drawn[:, :70], DISCS[0][:, :70])
    assert np.array_equal(corrected[:, 110:], drawn[:, 110:])
    assert discs.project.drawn.prompted[0][1].quality is None
    discs.mark(0, 1, None, [(50, 40, 1), (130, 75, 0)])  # from the drawn mask again
    assert not (discs.project.ids(0) == 1)[75, 130] and overlap(discs.project.ids(0) == 1, DISCS[0]) > 0.85


def test_a_point_that_removes_all_of_an_object_marks_it_as_absent(discs):
    discs.draw(0, 1, [(40, 40)], 15)
    discs.draw(1, 1, [(100, 40)], 2)
    discs.mark(1, 1, None, [(100, 40, 0)])
    assert not discs.project.ids(1).any() and discs.project.absent(1) == {1}


@pytest.mark.parametrize(
    ("box", "points", "message"),
    [
        ((1, 2, 3), [], "the prompt is no box"),
        (None, [(1, 2)], "the prompt is no box"),
        (None, [(1, 2, 1), "x"], "the prompt is no box"),
        (None, [(1, 2, 1)] * 101, "up to 100 points"),
        (None, [(1, float("inf"), 1)], "infinite"),
        (None, [], "neither a box nor a point"),
        ((1, 1, 2, 2), [], "less than 4 pixels"),
    ],
)
def test_what_is_no_prompt_is_refused(discs, box, points, message):
    with pytest.raises(InputError, match=naming(message)):
        discs.mark(0, 1, box, points)
    assert not discs.project.ids(0).any()


def test_a_store_can_leave_the_network_out(tmp_path, small_stm, monkeypatch):
    monkeypatch.setattr(first_mask, "refine", None)  # a call would fail
    segmenter = Segmenter(small_stm, Engine(torch.device("cpu")))
    store = SessionStore(tmp_path / "visits", segmenter, Limits(), None, {}, "grabcut")
    Image.fromarray(FRAME).save(tmp_path / "0.png")
    session = store.session(store.enter(None))
    session.open([tmp_path / "0.png"])
    session.mark(0, 1, (18, 18, 62, 62), [])
    assert overlap(session.project.ids(0) == 1, DISCS[0]) > 0.9


def test_names_of_objects(discs):
    discs.rename(2, "  a  cup " + 50 * "x")
    assert discs.project.names == {2: "a cup " + 34 * "x"}
    discs.rename(2, " ")
    assert discs.project.names == {}
    with pytest.raises(InputError, match=naming("no object 99")):
        discs.rename(99, "x")


def test_a_thumbnail_is_a_small_picture_with_the_mask(discs):
    before = discs.project.thumbnail(0)
    assert before.shape == (69, 120, 3)
    discs.draw(0, 1, [(40, 40)], 10)
    changed = (discs.project.thumbnail(0) != before).any(axis=2)
    assert changed[34, 34] and not changed[34, 86]
