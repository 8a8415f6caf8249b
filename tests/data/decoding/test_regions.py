"""Regions of annotation files against pycocotools, whose masks are what COCO's numbers mean."""

import numpy as np
import pytest
from pycocotools import mask as reference

from vosmem.data.decoding.regions import polygons, run_lengths, unpacked


def test_run_lengths_equal_those_of_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(100):
        mask = (rng.random(rng.integers(1, 40, 2)) < rng.random()).astype(np.uint8)
        mask = np.repeat(mask, rng.integers(1, 50), axis=0)
        encoded = reference.encode(np.asfortranarray(mask))
        assert np.array_equal(run_lengths(encoded["counts"].decode(), encoded["size"])(*mask.shape), mask)


def test_polygons_equal_those_of_pycocotools():
    rng = np.random.default_rng(1)
    for _ in range(50):
        turns = np.sort(rng.random(7)) * 2 * np.pi
        corners = np.stack([40 + 60 * np.cos(turns), 30 + 45 * np.sin(turns)], axis=1) + rng.random((7, 2))
        expected = reference.decode(reference.merge(reference.frPyObjects([corners.ravel().tolist()], 64, 80)))
        assert np.array_equal(polygons([corners.ravel().tolist()])(64, 80), expected)


def test_several_outlines_are_one_region():
    left, right = [1, 1, 4, 1, 4, 3, 1, 3], [6, 1, 9, 1, 9, 3, 6, 3]
    drawn = polygons([left, right])(5, 10)
    assert np.argwhere(drawn.any(axis=0)).ravel().tolist() == [1, 2, 3, 6, 7, 8]


@pytest.mark.parametrize("far", [1e7, 1e30])
def test_an_outline_that_would_fill_the_memory_is_refused(far):
    with pytest.raises(ValueError, match="longer than"):
        polygons([[0, 0, far, 0, far, far]])


@pytest.mark.parametrize("text", ["5P", "é", "ooooooooooooo0"])
def test_damaged_run_lengths_are_refused(text):
    with pytest.raises(ValueError, match=r"compressed run lengths are (damaged|cut)"):
        unpacked(text)
