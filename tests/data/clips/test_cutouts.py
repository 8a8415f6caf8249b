"""Cut-outs: no background along their edges, exact masks, and maps that match their parameters."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosmem.data.clips.cutouts import centred, cut_out, paste, turned
from vosmem.data.sources.image_sets import LabelledImage


def disc(side=64, radius=20, inside=(200, 40, 40), outside=(0, 255, 0)):
    """A red disc on green: any green in a pasted disc is a ghost."""
    y, x = np.mgrid[:side, :side] - side // 2
    labels = ((x**2 + y**2 <= radius**2) * 3).astype(np.uint8)
    image = np.where(labels[..., None] > 0, np.array(inside), np.array(outside)).astype(np.uint8)
    return LabelledImage(image, labels)


def pasted(thing, matrix, side=64, label=1, bend=None):
    frame, labels = np.full((side, side, 3), (0, 0, 255), np.uint8), np.zeros((side, side), np.uint8)
    paste(frame, labels, thing, matrix, label, bend)
    return frame, labels


def centre(thing, side=64, **motion):
    middle = (side - 1) / 2
    return turned(**{"degrees": 0.0, "scale": 1.0, "x": middle, "y": middle} | motion) @ centred(thing.alpha)


@given(st.floats(0, 360), st.floats(0.5, 1.5), st.booleans())
def test_cut_out_has_no_colour_from_outside_the_object(degrees, scale, mirror):
    thing = cut_out(disc(), 3, 41.0)
    frame, labels = pasted(thing, centre(thing, degrees=degrees, scale=scale, mirror=mirror))
    assert frame[..., 1].max() <= 41, "green"
    assert (frame[labels == 1][:, 0] >= 95).all(), "red where the object shows"
    assert (frame[labels == 0][:, 0] <= 105).all(), "and only there"


@pytest.mark.parametrize("side", [12, 41, 80])
def test_the_object_has_the_size_asked_for(side):
    thing = cut_out(disc(), 3, float(side))
    _, labels = pasted(thing, centre(thing, 100), side=100)
    rows = np.flatnonzero(labels.any(axis=1))
    assert rows[-1] - rows[0] + 1 == pytest.approx(side, abs=2 + 0.1 * side)  # the edge of a mask is left out


def test_a_thin_object_does_not_vanish():
    labels = np.zeros((40, 40), np.uint8)
    labels[:, 20] = 1
    thing = cut_out(LabelledImage(np.full((40, 40, 3), 90, np.uint8), labels), 1, 40.0)
    assert pasted(thing, centre(thing))[1].sum() >= 30


def test_maps_move_the_centre_and_rotate_about_it():
    labels = np.zeros((21, 41), np.uint8)
    labels[5:16, 3:38] = 1
    thing = cut_out(LabelledImage(np.full((21, 41, 3), 9, np.uint8), labels), 1, 35.0)
    for degrees, spread in [(0.0, (9, 33)), (90.0, (33, 9))]:
        _, found = pasted(thing, centre(thing, degrees=degrees, x=30.0, y=40.0))
        rows, columns = np.nonzero(found)
        assert (rows.mean(), columns.mean()) == pytest.approx((40, 30), abs=0.5)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == pytest.approx(spread, abs=1)


def test_a_mirror_image_is_mirrored():
    labels = np.zeros((20, 20), np.uint8)
    labels[2:18, 2:18] = 1
    labels[2:10, 2:10] = 0  # the upper left corner is missing
    thing = cut_out(LabelledImage(np.full((20, 20, 3), 9, np.uint8), labels), 1, 16.0)
    straight, mirrored = (pasted(thing, centre(thing, mirror=mirror))[1] for mirror in (False, True))
    assert np.array_equal(mirrored, straight[:, ::-1])
    assert not np.array_equal(mirrored, straight)


def test_later_cut_outs_cover_earlier_ones_and_label_0_occludes():
    thing = cut_out(disc(), 3, 30.0)
    frame, labels = pasted(thing, centre(thing, x=25.0), label=1)
    paste(frame, labels, thing, centre(thing, x=35.0), 2)
    both = labels.copy()
    assert set(np.unique(both)) == {0, 1, 2} and both[32, 30] == 2
    paste(frame, labels, thing, centre(thing, x=35.0), 0)
    assert not (labels == 2).any() and (labels == 1).sum() == (both == 1).sum()


@pytest.mark.parametrize("index", [(-200.0, 30.0), (30.0, 500.0)])
def test_out_of_the_frame_changes_nothing(index):
    thing = cut_out(disc(), 3, 30.0)
    frame, labels = pasted(thing, centre(thing, x=index[0], y=index[1]))
    assert not labels.any() and (frame == (0, 0, 255)).all()


def test_half_out_of_the_frame_is_cut_and_nothing_wraps():
    thing = cut_out(disc(), 3, 30.0)
    _, whole = pasted(thing, centre(thing, 100), side=100)
    _, cut = pasted(thing, centre(thing, 100, x=0.5, y=49.5), side=100)
    assert cut[:, 60:].sum() == 0
    assert cut.sum() == pytest.approx(whole.sum() / 2, rel=0.1)


def test_an_even_bend_is_a_shift_and_none_is_rigid():
    thing = cut_out(disc(), 3, 30.0)
    rigid = pasted(thing, centre(thing))[1]
    assert np.array_equal(pasted(thing, centre(thing), bend=np.zeros((4, 4, 2), np.float32))[1], rigid)
    shifted = pasted(thing, centre(thing), bend=np.full((4, 4, 2), (5, 0), np.float32))[1]
    assert np.array_equal(shifted[:, :-5], rigid[:, 5:])


def test_a_bent_object_is_not_cut_where_its_rigid_shape_ended():
    thing = cut_out(disc(), 3, 30.0)
    bend = np.zeros((4, 4, 2), np.float32)
    bend[:, :2, 0], bend[:, 2:, 0] = 8, -8  # wider on both sides
    wide = pasted(thing, centre(thing), bend=bend)[1]
    columns = np.flatnonzero(wide.any(axis=0))
    assert columns[-1] - columns[0] + 1 == pytest.approx(29 + 16, abs=3)


def test_an_enlarged_edge_is_smooth():
    """A small disc, eight times as large, is a disc still: steps along its edge would be notches in a convex shape."""
    thing = cut_out(disc(side=25, radius=8), 3, 136.0)
    (outline,), _ = cv2.findContours((thing.alpha >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    assert cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline)) > 0.98
