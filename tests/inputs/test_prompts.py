"""Prompts of objects: points and boxes into masks, and masks of several objects into one."""

import numpy as np
import pytest

from tests.discs import overlap, two_discs
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.prompts import Prompt, correct, cut_out, join_objects, make_prompts, point_strokes


@pytest.fixture(scope="module")
def scene():
    return two_discs()


def test_a_point_finds_its_object(scene):
    frame, discs = scene
    for disc, x in zip(discs, (40, 100), strict=True):
        assert overlap(cut_out(frame, Prompt(points=((x, 40.0),))), disc) > 0.9


def test_points_off_the_object_take_away(scene):
    frame, discs = scene
    box = (15, 15, 125, 65)
    assert overlap(cut_out(frame, Prompt(box=box)), discs[0] | discs[1]) > 0.9
    points = tuple((100.0 + dx, 40.0 + dy) for dx in (-12, 0, 12) for dy in (-10, 0, 10))
    found = cut_out(frame, Prompt(box=box, not_points=points))
    strokes = point_strokes(Prompt(not_points=points), (80, 140))
    assert (found & discs[0]).sum() > 0.9 * discs[0].sum() and not found[strokes == 2].any()


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(), "neither a box nor a point"),
        (Prompt(not_points=((3, 3),)), "neither a box nor a point"),
        (Prompt(points=((140, 3),)), "140,3 is outside the frame of 140x80"),
        (Prompt(box=(5, 5, 60, 60), not_points=((3, -1),)), "3,-1 is outside"),
    ],
)
def test_unusable_prompts_are_refused(scene, prompt, message):
    with pytest.raises(InputError, match=naming(message)):
        cut_out(scene[0], prompt)


def test_a_correction_changes_only_the_region_of_its_points(scene):
    frame, discs = scene
    half, other = discs[0].copy(), np.zeros_like(discs[0])
    half[:, 45:] = False
    other[60:70, 90:110] = True
    found = correct(frame, half | other, Prompt(points=((52.0, 40.0),)))
    assert overlap(found & ~other, discs[0]) > 0.9 > overlap(half, discs[0]) and found[other].all()
    assert overlap(correct(frame, discs[0] | other, Prompt(not_points=((100.0, 65.0),))), discs[0]) > 0.95
    assert np.array_equal(correct(frame, half, Prompt(points=((30.0, 40.0),))), half)  # the mask is right there


def test_rough_masks_are_boxes_or_discs():
    size, point = (60, 80), (40.0, 30.0)
    boxed = Prompt(box=(10, 5, 95, 40), not_points=(point,)).rough(size)
    assert boxed[5:40, 10:].sum() == boxed.sum() == 35 * 70 - (~boxed[25:36, 35:46]).sum() and not boxed[30, 40]
    disc = Prompt(points=(point,)).rough(size)
    assert disc[30, 34:47].all() and disc.sum() == pytest.approx(np.pi * 6**2, rel=0.2)
    holed = Prompt(points=(point,), not_points=((45.0, 30.0),)).rough(size)
    assert holed[30, 40] and not holed[30, 44:47].any() and holed[30, 36:41].all()
    for prompt, message in ((Prompt(not_points=(point,)), "neither a box nor"), (Prompt(box=(0, 0, 3, 50)), "box")):
        with pytest.raises(InputError, match=message):
            prompt.rough(size)


def test_the_smaller_object_is_in_front():
    large, small = np.zeros((2, 20, 30), bool)
    large[2:18, 2:28] = small[5:10, 5:10] = True
    ids, notes = join_objects([small, large])
    assert np.array_equal(ids == 1, small) and np.array_equal(ids == 2, large & ~small)
    assert [note.decision for note in notes] == [Decision.OBJECTS_OVERLAP]
    assert join_objects([small])[1] == ()
    with pytest.raises(InputError, match=naming("object 2 is empty or hidden")):
        join_objects([small, small & False])


def test_a_perturbed_box_is_larger_and_stays_in_the_frame():
    assert Prompt(box=(20, 20, 40, 60)).perturbed((100, 100)).box == (19, 18, 41, 62)
    assert Prompt(box=(0, 0, 100, 99)).perturbed((100, 100)).box == (5, 5, 95, 94)
    for corner in ((0.0, 0.0), (99.0, 99.0)):
        moved = Prompt(points=(corner,)).perturbed((100, 100)).points[0]
        assert moved != corner and all(0 <= value < 100 for value in moved)
    strokes = np.eye(8, dtype=np.uint16)
    assert Prompt(strokes=strokes).perturbed((8, 8)).strokes.tolist() == np.roll(strokes, 2, axis=1).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(1, 2, 3)],), "has not four numbers"),
        ((None, [[(1, 2, 3)]]), "has not two numbers"),
        (([(1, 2, 3, 4)], [[], []]), "different lengths"),
        ((None, [[(1, 2)]], [[1, 0]]), "different lengths"),
        ((None, [[(1, 2)]], [[2]]), "labels [2]"),
    ],
)
def test_arguments_that_do_not_belong_together_are_refused(arguments, message):
    with pytest.raises(InputError, match=naming(message)):
        make_prompts(*arguments)
