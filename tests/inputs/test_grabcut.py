"""Masks from boxes and strokes."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.messages import naming
from vosmem.data.decoding.mask_files import read_mask
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.grabcut import mask_from_box, mask_from_strokes, strokes_by_colour


@pytest.fixture(scope="module")
def scene():
    """A red disc on noisy green, and the disc."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :100]
    disc = (y - 40) ** 2 + (x - 50) ** 2 < 18**2
    frame = np.where(disc[..., None], (200, 40, 30), (40, 120, 60)) + rng.integers(-12, 13, (80, 100, 3))
    return frame.astype(np.uint8), disc


@pytest.mark.parametrize("box", [(28, 18, 72, 62), (25, 10, 80, 90), (-20, 15, 75, 70)])
def test_the_object_in_the_box_is_found(scene, box):
    frame, disc = scene
    mask = mask_from_box(frame, box)
    assert (mask.dtype, set(np.unique(mask))) == (np.uint8, {0, 1})
    assert (mask & disc).sum() / (mask | disc).sum() > 0.95


def test_the_same_box_gives_the_same_mask(scene):
    rng = np.random.default_rng(0)
    frame = rng.integers(90, 150, (80, 100, 3)) + 30 * scene[1][..., None]  # vague: its edge is a matter of chance
    masks = []
    for seed in (1, 2, 3, 4):
        cv2.setRNGSeed(seed)
        masks.append(mask_from_box(frame.astype(np.uint8), (20, 10, 80, 70)))
    assert all(np.array_equal(mask, masks[0]) for mask in masks)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((10, 10, 10, 40), "less than"),
        ((40, 40, 10, 10), "less than"),
        ((100, 0, 140, 40), "less than"),
        ((0, 0, 100, 80), "whole frame"),
        ((-5, -5, 300, 300), "whole frame"),
    ],
)
def test_a_box_that_can_hold_no_object_is_rejected(scene, box, message):
    with pytest.raises(InputError, match=naming(str(box), message)):
        mask_from_box(scene[0], box)


def test_a_box_whose_content_equals_its_surroundings_is_rejected():
    frame = np.full((40, 60, 3), 90, np.uint8)
    with pytest.raises(InputError, match=naming("(5, 5, 30, 30)", "tighter box")):
        mask_from_box(frame, (5, 5, 30, 30))


def strokes(*rectangles):
    """Numbers in rectangles of (value, top, bottom, left, right)."""
    drawn = np.zeros((80, 100), np.uint16)
    for value, top, bottom, left, right in rectangles:
        drawn[top:bottom, left:right] = value
    return drawn


def test_strokes_segment_the_object_and_keep_their_values(scene):
    frame, disc = scene
    drawn = strokes((1, 36, 44, 46, 54), (2, 4, 8, 5, 95), (1, 72, 76, 80, 90))  # the last is wrong, and stays
    mask = mask_from_strokes(frame, drawn)
    assert mask[drawn == 1].all() and not mask[drawn == 2].any()
    mask = mask_from_strokes(frame, strokes((1, 36, 44, 46, 54), (2, 4, 8, 5, 95)))
    assert (mask & disc).sum() / (mask | disc).sum() > 0.95


RED, GREEN, BLUE, MAROON, DARK_GREEN = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 0, 0), (0, 128, 0)
DRAWN = strokes((1, 36, 44, 46, 54), (2, 4, 8, 5, 95))


def coloured(path, on, off, palette=False):
    picture = np.array([(0, 0, 0), on, off], np.uint8)
    image = Image.fromarray(picture[DRAWN])
    if palette:
        image = Image.fromarray(DRAWN.astype(np.uint8))
        image.putpalette(picture.ravel().tolist())
    image.save(path)
    return read_mask(path, max_objects=None)


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize(("on", "off"), [(GREEN, RED), ((20, 220, 30), (200, 10, 40)), (DARK_GREEN, RED)])
def test_green_strokes_are_object_and_red_strokes_background(tmp_path, on, off, palette):
    ids, notes = strokes_by_colour(coloured(tmp_path / "s.png", on, off, palette))
    assert np.array_equal(ids, DRAWN)
    assert [note.decision for note in notes if note.warns] == ([] if palette else [Decision.STROKES_BY_COLOUR])


def test_a_palette_with_red_before_green_is_read_by_colour(tmp_path):
    ids, notes = strokes_by_colour(coloured(tmp_path / "s.png", RED, GREEN, palette=True))
    assert np.array_equal(ids, np.array([0, 2, 1])[DRAWN]) and notes[0].decision is Decision.STROKES_BY_COLOUR


def test_a_davis_palette_is_read_by_value(tmp_path):
    ids, notes = strokes_by_colour(coloured(tmp_path / "s.png", MAROON, DARK_GREEN, palette=True))
    assert np.array_equal(ids, DRAWN) and notes == ()


@pytest.mark.parametrize(("on", "off"), [(MAROON, DARK_GREEN), (DARK_GREEN, MAROON), (BLUE, RED), (GREEN, BLUE)])
def test_strokes_in_other_colours_are_rejected(tmp_path, on, off):
    with pytest.raises(InputError, match=naming("#" + bytes(on).hex(), "bright green on the object")):
        strokes_by_colour(coloured(tmp_path / "s.png", on, off))


@pytest.mark.parametrize("kinds", [(), (1,), (2,), (1, 2, 3)])
def test_strokes_with_other_values_are_rejected(scene, kinds):
    drawn = strokes(*((kind, 4 * kind, 4 * kind + 3, 5, 50) for kind in kinds))
    with pytest.raises(InputError, match=naming(str(list(kinds)), "1 on the object", "and 2 on the background")):
        mask_from_strokes(scene[0], drawn)


def test_large_frames_are_shrunk_and_small_boxes_are_not_lost(scene):
    frame, disc = scene
    large, true = (cv2.resize(own, (900, 720)) for own in (frame, disc.astype(np.uint8)))
    mask = mask_from_box(large, (252, 162, 648, 558))
    assert (mask & true).sum() / (mask | true).sum() > 0.9
    thin = np.zeros((720, 900), np.uint16)
    thin[360, 430:470], thin[36, 36:860] = 1, 2
    mask = mask_from_strokes(large, thin)
    assert (mask & true).sum() / (mask | true).sum() > 0.9
    dark = np.zeros((720, 900, 3), np.uint8)
    dark[301:307, 201:207] = 255
    assert np.array_equal(mask_from_box(dark, (200, 300, 208, 308)) > 0, dark[..., 0] > 0)
