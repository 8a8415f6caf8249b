"""Regions of annotation files as masks: polygons, rectangles, circles and run lengths."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from pycocotools import mask as coco_mask

MOST_BITS = 40  # of one number in compressed run lengths
MOST_STEPS = 2**22  # pixels along all outlines of a region: pycocotools allocates about 40 bytes for each
CORNERS = 96  # of the polygon that approximates a circle

Region = Callable[[int, int], Bool[np.ndarray, "H W"]]


def polygons(outlines: Sequence[Any]) -> Region:
    """The pixels inside any of several outlines, as pycocotools draws them.

    Args:
        outlines: each a flat list x0, y0, x1, y1, ... in pixels; (0, 0) is the upper left corner of the image.

    Raises:
        ValueError: there is no outline, or one has fewer than three corners, a number that is not finite, or is too
            long to draw.

    Example:
        >>> int(polygons([[1, 1, 4, 1, 4, 3, 1, 3]])(5, 5).sum())
        6
    """
    corners = [_pairs(outline) for outline in outlines]
    if not corners:
        raise ValueError("there is no outline")
    if min(map(len, corners)) < 3:
        raise ValueError("an outline has fewer than three corners")
    if sum(_steps(outline) for outline in corners) > MOST_STEPS:
        raise ValueError(f"an outline is longer than {MOST_STEPS} pixels")
    flat = [outline.ravel().tolist() for outline in corners]

    def draw(height: int, width: int) -> Bool[np.ndarray, "H W"]:
        union = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
        return np.asarray(coco_mask.decode(union)).astype(bool)

    return draw


def rectangle(points: Any) -> Region:
    """The rectangle of two opposite corners; ValueError for anything but two points."""
    (x0, y0), (x1, y1) = _finite(points).reshape(2, 2).tolist()
    return polygons([[x0, y0, x1, y0, x1, y1, x0, y1]])


def circle(points: Any) -> Region:
    """The circle of a centre and a point on the edge; ValueError for anything but two points."""
    centre, edge = _finite(points).reshape(2, 2)
    radius = float(np.linalg.norm(edge - centre))
    return ellipse((centre[0], centre[1]), (radius, radius))


def run_lengths(counts: str | Sequence[int], size: Sequence[int]) -> Region:
    """COCO's run lengths, column by column, outside first.

    They are decoded here: pycocotools reads beyond its buffer for damaged run lengths.

    Args:
        counts: the lengths; a string holds compressed lengths.
        size: height and width that the lengths cover.

    Raises:
        ValueError: the lengths do not cover the size, or the string is damaged.
    """
    height, width = (int(side) for side in size)
    lengths = unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if min(lengths, default=0) < 0 or sum(lengths) != height * width:
        raise ValueError(f"run lengths cover {sum(lengths)} pixels of {height * width}")

    def draw(rows: int, columns: int) -> Bool[np.ndarray, "H W"]:
        if (rows, columns) != (height, width):
            raise ValueError(f"run lengths are of {width}x{height}, their image is {columns}x{rows}")
        return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(width, height).T

    return draw


def unpacked(text: str) -> list[int]:
    """Decompress the run lengths in a string of COCO.

    A character holds five bits and a flag for more; from the fourth on a number is the difference from the last but one
    before it.

    Raises:
        ValueError: a character or a number is out of range, or the string ends within a number.

    Example:
        >>> unpacked("52203")
        [5, 2, 2, 2, 5]
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > MOST_BITS:
            raise ValueError("compressed run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("compressed run lengths are cut")
    return lengths


def turned_rectangle(
    corner: tuple[float, float], size: tuple[float, float], degrees: float, centre: tuple[float, float]
) -> Region:
    """The rectangle of an upper left corner, a width and a height, turned clockwise around a point.

    Raises:
        ValueError: a number is not finite.

    Example:
        >>> int(turned_rectangle((2.0, 4.0), (8.0, 2.0), 90.0, (6.0, 5.0))(12, 12)[1:9, 5:7].sum())
        16
    """
    (x, y), (width, height) = corner, size
    corners = _finite([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    return polygons([_turned(corners, degrees, centre).ravel()])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Region:
    """The ellipse of a centre and two radii, turned clockwise around its centre; ValueError as of `polygons`."""
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    ring = _finite(centre) + _finite(radii) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return polygons([_turned(ring, degrees, centre).ravel()])


def _turned(corners: Float[np.ndarray, "N 2"], degrees: float, centre: tuple[float, float]) -> Float[np.ndarray, "N 2"]:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre


def placed(inside: Bool[np.ndarray, "h w"], left: int, top: int) -> Region:
    """A small mask at a place of the image, clipped to the image."""

    def draw(height: int, width: int) -> Bool[np.ndarray, "H W"]:
        drawn = np.zeros((height, width), bool)
        rows, columns = (
            slice(max(0, first), max(0, first + length))
            for first, length in zip((top, left), inside.shape, strict=True)
        )
        visible = drawn[rows, columns]
        visible[:] = inside[max(0, -top) :, max(0, -left) :][: visible.shape[0], : visible.shape[1]]
        return drawn

    return draw


def placed_runs(lengths: Sequence[int], corner: tuple[int, int], size: tuple[int, int]) -> Region:
    """Run lengths of a rectangle row by row, outside first, as CVAT writes them.

    The corner is x and y of the upper left pixel, the size width and height of the rectangle.

    Raises:
        ValueError: the lengths do not cover the rectangle.
    """
    width, height = size
    return placed(run_lengths(lengths, (width, height))(width, height).T, *corner)


def embedded_mask(picture: Any, points: Any) -> Region:
    """LabelMe's mask of a rectangle: a PNG in base64, not 0 inside, and x and y of the first and the last pixel.

    Raises:
        ValueError: the PNG is missing or damaged, or its size is not that of the rectangle.
    """
    if not isinstance(picture, str):
        raise ValueError("a shape of type mask holds no mask")
    (left, top), (right, bottom) = np.rint(np.sort(_finite(points).reshape(2, 2), axis=0)).astype(int).tolist()
    try:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as opened:
            if opened.size != (right - left + 1, bottom - top + 1):
                raise ValueError(f"a mask of {opened.width}x{opened.height} does not fit its rectangle")
            return placed(np.asarray(opened.convert("L")) > 0, left, top)
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError("a shape of type mask holds no picture") from error


def coco_region(segmentation: Any) -> Region:
    """The region of a COCO `segmentation`: a list of outlines, or run lengths.

    Raises:
        ValueError: the outlines or run lengths are damaged, or the value is neither.
        KeyError: run lengths lack `counts` or `size`.
        TypeError: a value is not a number.
    """
    if isinstance(segmentation, dict):
        return run_lengths(segmentation["counts"], segmentation["size"])
    if not isinstance(segmentation, list):
        raise ValueError("there is no outline")
    return polygons(segmentation)


def coco_area(annotation: Mapping[str, Any]) -> float:
    """The `area` of a COCO annotation, 0 if missing. Larger objects are drawn first, so that small ones stay whole."""
    return float(annotation.get("area") or 0)


def _pairs(outline: Any) -> Float[np.ndarray, "N 2"]:
    numbers = _finite(outline).ravel()
    if numbers.size % 2:
        raise ValueError("an outline has an odd number of coordinates")
    return numbers.reshape(-1, 2)


def _steps(outline: Float[np.ndarray, "N 2"]) -> float:
    """Pixels along an outline, at least one for each corner."""
    return float(np.abs(outline - np.roll(outline, 1, axis=0)).max(axis=1).sum()) + len(outline)


def _finite(numbers: Any) -> Float[np.ndarray, "*S"]:
    array = np.asarray(numbers, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a corner is no finite number")
    return array
