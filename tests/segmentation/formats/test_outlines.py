"""Polygons cover exactly their mask, or within the tolerance."""

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vosmem.segmentation.formats.outlines import polygons


def draw(outlines, height, width):
    if not outlines:
        return np.zeros((height, width), np.uint8)
    flat = [outline.ravel().tolist() for outline in outlines]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width)))


def random_masks(count, enlarged):
    rng = np.random.default_rng(0)
    for _ in range(count):
        height, width = rng.integers(1, 30, 2)
        small = (rng.random((height, width)) < rng.random()).astype(np.uint8)
        yield cv2.resize(small, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("enlarged", [1, 3])
def test_polygons_without_tolerance_are_exact(enlarged):
    """Noise has every way in which pixels touch, holes, and holes next to each other."""
    for mask in random_masks(150, enlarged):
        assert np.array_equal(draw(polygons(mask, 0.0), *mask.shape), mask)


def smooth_masks(count):
    rng = np.random.default_rng(1)
    for _ in range(count):
        noise = cv2.GaussianBlur(rng.standard_normal((60, 80)), (0, 0), 3)
        yield (noise > 0.05).astype(np.uint8)


def test_pixels_change_only_at_the_edge_of_the_mask():
    saved = []
    for mask in smooth_masks(30):
        outlines, exact = polygons(mask), polygons(mask, 0.0)
        drawn = draw(outlines, *mask.shape)
        edge = np.ones((3, 3), np.uint8)
        inner, outer = cv2.erode(mask, edge, borderValue=1), cv2.dilate(mask, edge)
        assert (inner <= drawn).all() and (drawn <= outer).all()
        saved.append(sum(map(len, outlines)) / sum(map(len, exact)))
    assert np.mean(saved) < 0.7


def test_each_part_is_one_polygon_and_large_ones_come_first():
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 2:5] = 1
    mask[5, 5] = 1  # touches at a corner
    mask[8:18, 8:28] = 1
    mask[10:16, 12:15] = mask[11:13, 20:22] = 0
    large, small = polygons(mask, 0.0)
    assert np.array_equal(draw([large], 20, 30)[8:18, 8:28], mask[8:18, 8:28])
    assert np.array_equal(draw([small], 20, 30)[:8, :8], mask[:8, :8])


def test_parts_of_one_pixel_stay():
    mask = np.zeros((9, 9), np.uint8)
    mask[1, 1] = mask[4, 4] = mask[8, 8] = 1
    assert np.array_equal(draw(polygons(mask), 9, 9), mask)
    assert polygons(np.zeros((4, 4), np.uint8)) == []
