"""Masks as polygons."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Int32, UInt8

TOLERANCE = 0.75  # pixels between a mask's edge and its polygon; fewer keeps each step of an oblique edge
FEWEST_CORNERS = 3


def polygons(mask: UInt8[np.ndarray, "H W"], tolerance: float = TOLERANCE) -> list[Float32[np.ndarray, "_ 2"]]:
    """Outline each part of a mask with one polygon.

    Corners (x, y) are in pixels; (0, 0) is the upper left corner of the image, not the centre of its first pixel.
    Pixels that touch at a corner are one part. A hole is joined to the outline by a cut of no width, so a polygon with
    holes is still one ring.

    Args:
        mask: not 0 inside.
        tolerance: largest distance in pixels between the mask's edge and the polygon; 0 keeps every corner.

    Returns:
        the polygons, those of larger parts first.

    Example:
        >>> polygons(np.array([[0, 1, 1], [0, 1, 1]], np.uint8))[0].tolist()
        [[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]
    """
    count, parts, boxes, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    found = []
    for number in sorted(range(1, count), key=lambda number: -int(boxes[number, cv2.CC_STAT_AREA])):
        left, top, width, height = boxes[number, :4].tolist()
        part = parts[top : top + height, left : left + width] == number
        rings = _rings(part.astype(np.uint8))
        outer = max(range(len(rings)), key=lambda index: abs(cv2.contourArea(rings[index])))
        simple = [_simplified(ring, tolerance) for ring in rings]
        joined = _joined(simple[outer], [ring for index, ring in enumerate(simple) if index != outer])
        found.append(joined + np.array([left, top], np.float32))
    return found


class _Corners(NamedTuple):
    """The corners of all rings: positions, and for each corner the next one along its row and along its column."""

    points: Int32[np.ndarray, "N 2"]
    along_row: Int32[np.ndarray, "N"]
    along_column: Int32[np.ndarray, "N"]


def _rings(part: UInt8[np.ndarray, "H W"]) -> list[Int32[np.ndarray, "_ 2"]]:
    """The closed rings along the edges of the pixels of one part, each with its corners in order."""
    corners = _corners(part)
    row, column = corners.along_row.tolist(), corners.along_column.tolist()
    seen = [False] * len(row)
    rings = []
    for first in range(len(row)):
        if seen[first]:
            continue
        ring, current = [], first
        while not seen[current]:
            other = row[current]
            seen[current] = seen[other] = True
            ring += [current, other]
            current = column[other]
        rings.append(corners.points[ring])
    return rings


def _corners(part: UInt8[np.ndarray, "H W"]) -> _Corners:
    """The corners of the edges of pixels. Sorted along a row or a column, corners 0 and 1, 2 and 3, ... share an edge.

    Where two pixels touch at a corner, two corners lie on one point. Their edges are joined so that both pixels stay in
    one ring.
    """
    padded = np.pad(part, 1)
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    total = above_left + above_right + below_left + below_right
    falling = (total == 2) & (above_left == below_right)  # the inside pixels touch along a diagonal that falls
    falls = falling & (above_left == 1)
    copies = np.where((total == 1) | (total == 3), 1, np.where(falling, 2, 0))
    y, x = np.nonzero(copies)
    twice = copies[y, x] == 2
    index = np.repeat(np.arange(len(y)), np.where(twice, 2, 1))
    second = np.zeros(len(index), bool)
    second[1:] = index[1:] == index[:-1]
    x, y, falls_here = x[index], y[index], falls[y, x][index]
    # In a row the first of two corners ends the left edge. It turns down if the diagonal falls, so in a column, where
    # the edge above comes first, the second of the two corners is first.
    later = np.where(falls_here, ~second, second)
    by_row, by_column = np.lexsort((second, x, y)), np.lexsort((later, y, x))
    along_row, along_column = (np.empty(len(index), np.int32) for _ in range(2))
    for order, along in ((by_row, along_row), (by_column, along_column)):
        along[order[0::2]], along[order[1::2]] = order[1::2], order[0::2]
    return _Corners(np.stack([x, y], axis=1).astype(np.int32), along_row, along_column)


def _simplified(ring: Int32[np.ndarray, "N 2"], tolerance: float) -> Float32[np.ndarray, "M 2"]:
    """The ring without corners that the tolerance does not need; as it is if nothing would be left."""
    if tolerance > 0:
        simple = cv2.approxPolyDP(ring[:, None], tolerance, closed=True)[:, 0]
        if len(simple) >= FEWEST_CORNERS and cv2.contourArea(simple) > 0:
            ring = simple
    return ring.astype(np.float32)


def _joined(outer: Float32[np.ndarray, "N 2"], holes: list[Float32[np.ndarray, "_ 2"]]) -> Float32[np.ndarray, "L 2"]:
    """One ring of an outline and its holes, each joined where it is closest to what is joined already."""
    for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
        gaps = ((outer[:, None] - hole[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(int(gaps.argmin()), gaps.shape)
        cut = np.roll(hole, -int(there), axis=0)
        outer = np.concatenate([outer[: here + 1], cut, cut[:1], outer[here:]])
    return outer
