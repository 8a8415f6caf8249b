"""F, the contour accuracy: how well two boundaries match within a few pixels."""

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float64, Integer, UInt8


def tolerance_pixels(height: int, width: int, fraction: float = 0.008) -> int:
    """The distance within which two boundaries match, in pixels, rounded up.

    The fraction is a share of the frame's diagonal; from 1 on it is a number of pixels.

    Source:
        davis2017-evaluation, `bound_th`.

    Example:
        >>> tolerance_pixels(480, 854), tolerance_pixels(720, 1280), tolerance_pixels(480, 854, fraction=3.0)
        (8, 12, 3)
    """
    return math.ceil(fraction if fraction >= 1 else fraction * math.sqrt(height**2 + width**2))


def boundary_map(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The pixels that differ from their right, lower or lower right neighbour: a boundary one pixel wide.

    The border of the frame is no boundary, so a mask that fills the frame has none.

    Source:
        davis2017-evaluation, after the Berkeley segmentation benchmark's `seg2bmap`.

    Example:
        >>> mask = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]], bool)
        >>> boundary_map(mask).astype(int)
        array([[1, 1, 1],
               [1, 0, 0],
               [1, 0, 0]])
    """
    boundary = np.zeros(mask.shape, bool)
    boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1] |= mask[:-1] ^ mask[1:]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def boundary_f(true: Bool[np.ndarray, "H W"], pred: Bool[np.ndarray, "H W"], tolerance: int | None = None) -> float:
    """Harmonic mean of the boundary's precision and recall.

    Precision is the share of the predicted boundary within the tolerance of the annotated one, recall the
    reverse.

    Args:
        true: The annotated mask, void already background.
        pred: The predicted mask.
        tolerance: Pixels within which boundaries match; None for the DAVIS tolerance of the frame size.

    Returns:
        F in [0, 1]. 1 where neither mask has a boundary, 0 where one of them has.

    Source:
        Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, 2016,
        section 4, with the dilation of its published code in place of bipartite matching.

    Example:
        >>> square = np.zeros((64, 64), bool)
        >>> square[20:40, 20:40] = True
        >>> boundary_f(square, np.roll(square, 1, axis=1)), boundary_f(square, np.ones_like(square))
        (1.0, 0.0)
    """
    radius = tolerance_pixels(*true.shape) if tolerance is None else tolerance
    box = _joint_box(true, pred)
    true_boundary, pred_boundary = boundary_map(true[box]), boundary_map(pred[box])
    if not (true_boundary.any() and pred_boundary.any()):
        return float(true_boundary.any() == pred_boundary.any())
    precision = _share_within(radius, pred_boundary, true_boundary)
    recall = _share_within(radius, true_boundary, pred_boundary)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_f_by_object(
    true_labels: Integer[np.ndarray, "H W"],
    pred_labels: Integer[np.ndarray, "H W"],
    object_ids: Sequence[int],
) -> Float64[np.ndarray, "K"]:
    """F of each object of one frame; arguments as of `jaccard_by_object`."""
    return np.array([boundary_f(true_labels == i, pred_labels == i) for i in object_ids], np.float64)


def _joint_box(true: Bool[np.ndarray, "H W"], pred: Bool[np.ndarray, "H W"]) -> tuple[slice, slice]:
    """The rows and columns that hold both boundaries, with the neighbouring pixels that define a boundary."""
    # No margin for the dilation: no boundary lies outside of the box for it to meet.
    left, top, width, height = cv2.boundingRect((true | pred).view(np.uint8))
    return slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)


def _share_within(radius: int, boundary: Bool[np.ndarray, "H W"], other: Bool[np.ndarray, "H W"]) -> float:
    """Share of a boundary's pixels within the radius of the other boundary."""
    near = cv2.dilate(other.view(np.uint8), _disk(radius)).view(bool)
    return float(np.count_nonzero(boundary & near) / np.count_nonzero(boundary))


@lru_cache
def _disk(radius: int) -> UInt8[np.ndarray, "D D"]:
    rows, cols = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (rows**2 + cols**2 <= radius**2).astype(np.uint8)
