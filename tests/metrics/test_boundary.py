import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import disk

from tests.metrics import reference
from vosmem.metrics import boundary
from vosmem.metrics.boundary import boundary_f, boundary_map, tolerance_pixels


def blob(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """An ellipse with ragged edges somewhere in the frame or across its border, at times empty or full."""
    rows, cols = np.mgrid[:height, :width]
    centre_row, centre_col = rng.uniform(-0.2, 1.2, 2) * (height, width)
    radius_row, radius_col = rng.uniform(0.02, 1.5, 2) * (height, width)
    distance = ((rows - centre_row) / radius_row) ** 2 + ((cols - centre_col) / radius_col) ** 2
    return distance + 0.3 * rng.random((height, width)) < 1


def rectangle(height: int, width: int, rows: slice, cols: slice) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[rows, cols] = True
    return mask


@pytest.mark.parametrize(("d", "expected"), [(0, 1), (2, 1), (4, 1), (8, 0.985), (9, 0.034), (16, 0.034)])
def test_shifted_rectangle_scores_what_the_official_scorer_gave(d, expected):
    true = rectangle(480, 854, slice(100, 300), slice(200, 500))
    pred = rectangle(480, 854, slice(100 + d, 300 + d), slice(200 + d, 500 + d))
    assert boundary_f(true, pred) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("size", "pixels"), [((480, 854), 8), ((480, 910), 9), ((720, 1280), 12), ((64, 64), 1), ((600, 800), 8)]
)
def test_tolerance_is_a_share_of_the_diagonal_rounded_up(size, pixels):
    assert tolerance_pixels(*size) == pixels


def test_tolerance_from_one_on_is_in_pixels():
    assert tolerance_pixels(480, 854, fraction=1.0) == 1
    assert tolerance_pixels(480, 854, fraction=5.0) == 5
    assert tolerance_pixels(30, 40, fraction=0.5) == 25


def test_boundary_map_marks_the_pixel_before_a_change():
    mask = rectangle(4, 5, slice(1, 3), slice(2, 4))
    expected = [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert boundary_map(mask).astype(int).tolist() == expected


def test_boundary_map_sees_along_the_last_row_and_column_but_not_beyond():
    mask = rectangle(3, 3, slice(2, 3), slice(2, 3))
    assert boundary_map(mask).astype(int).tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 0]]


def test_a_mask_that_fills_the_frame_has_no_boundary():
    full, object_mask = np.ones((64, 64), bool), rectangle(64, 64, slice(20, 40), slice(20, 40))
    assert not boundary_map(full).any()
    assert boundary_f(full, full) == 1
    assert boundary_f(object_mask, full) == boundary_f(full, object_mask) == 0


def test_empty_masks():
    empty, object_mask = np.zeros((64, 64), bool), rectangle(64, 64, slice(20, 40), slice(20, 40))
    assert boundary_f(empty, empty) == 1
    assert boundary_f(empty, np.ones_like(empty)) == 1
    assert boundary_f(object_mask, empty) == boundary_f(empty, object_mask) == 0


def test_boundaries_out_of_reach_score_zero():
    near, far = (rectangle(64, 64, slice(20, 40), slice(a, a + 3)) for a in (5, 50))
    assert boundary_f(near, far) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_equals_the_pixel_by_pixel_reference(height, width, tolerance, seed):
    rng = np.random.default_rng(seed)
    true, pred = blob(height, width, rng), blob(height, width, rng)
    pixels = reference.boundary_pixels(true)
    assert set(zip(*boundary_map(true).nonzero(), strict=True)) == pixels
    assert boundary_f(true, pred, tolerance) == reference.boundary_f(true, pred, tolerance)


def test_equals_the_whole_frame_reference_at_the_default_tolerance():
    rng = np.random.default_rng(0)
    for _ in range(40):
        height, width = rng.integers(100, 400, 2)
        true, pred = blob(height, width, rng), blob(height, width, rng)
        assert boundary_f(true, pred) == reference.whole_frame_boundary_f(true, pred)


@pytest.mark.parametrize("rows", [slice(0, 9), slice(31, 40), slice(0, 40), slice(1, 39), slice(15, 16)])
@pytest.mark.parametrize("cols", [slice(0, 9), slice(41, 50), slice(0, 50), slice(1, 49), slice(20, 21)])
def test_cropping_changes_nothing_at_the_borders(rows, cols, monkeypatch):
    true = rectangle(40, 50, rows, cols)
    pred = np.roll(true, (1, -1), axis=(0, 1))
    cropped = boundary_f(true, pred, tolerance=1)
    monkeypatch.setattr(boundary, "_joint_box", lambda true, pred: (slice(None), slice(None)))
    assert cropped == boundary_f(true, pred, tolerance=1)


@pytest.mark.parametrize("radius", [0, 1, 2, 8, 12])
def test_the_disk_is_the_one_of_scikit_image(radius):
    assert np.array_equal(boundary._disk(radius), disk(radius))


def test_masks_may_be_views():
    rng = np.random.default_rng(1)
    true, pred = blob(40, 60, rng), blob(40, 60, rng)
    views = (np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)[::2, ::2] for mask in (true, pred))
    assert boundary_f(*views) == boundary_f(true, pred)
    assert boundary_f(np.asfortranarray(true), np.asfortranarray(pred)) == boundary_f(true, pred)
