"""J and F written to be believed rather than to be fast.

The first half visits pixel by pixel and says what is meant; it is for small masks. The second half works on
whole frames, one object at a time, as the field's scorers do; it is what the benchmark compares with.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np


def jaccard(true: np.ndarray, pred: np.ndarray) -> float:
    """Intersection over union of two sets of pixels."""
    true_pixels, pred_pixels = set(zip(*true.nonzero(), strict=True)), set(zip(*pred.nonzero(), strict=True))
    union = true_pixels | pred_pixels
    return len(true_pixels & pred_pixels) / len(union) if union else 1.0


def boundary_pixels(mask: np.ndarray) -> set[tuple[int, int]]:
    """The pixels that differ from a neighbour to the right, below or at the lower right inside the frame."""
    height, width = mask.shape
    return {
        (r, c)
        for r, c in np.ndindex(height, width)
        for other_r, other_c in ((r, c + 1), (r + 1, c), (r + 1, c + 1))
        if other_r < height and other_c < width and mask[r, c] != mask[other_r, other_c]
    }


def boundary_f(true: np.ndarray, pred: np.ndarray, tolerance: int) -> float:
    """F by asking each boundary pixel whether one of the other boundary is near."""
    true_boundary, pred_boundary = boundary_pixels(true), boundary_pixels(pred)
    if not true_boundary and not pred_boundary:
        return 1.0
    if not true_boundary or not pred_boundary:
        return 0.0
    precision = sum(_is_near(p, true_boundary, tolerance) for p in pred_boundary) / len(pred_boundary)
    recall = sum(_is_near(p, pred_boundary, tolerance) for p in true_boundary) / len(true_boundary)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _is_near(pixel: tuple[int, int], others: set[tuple[int, int]], tolerance: int) -> bool:
    return any((pixel[0] - r) ** 2 + (pixel[1] - c) ** 2 <= tolerance**2 for r, c in others)


def decay(values: list[float]) -> float:
    """Mean of the first quarter less mean of the last, by the wording of the official code."""
    edges = [math.floor(1 + (len(values) - 1) * k / 4 + 0.5) - 1 for k in range(5)]
    first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
    return sum(first) / len(first) - sum(last) / len(last)


def score_video(
    true_labels: np.ndarray, pred_labels: np.ndarray, num_objects: int
) -> Iterator[tuple[list[float], list[float]]]:
    """J and F per frame and object on whole frames."""
    for true, pred in zip(true_labels, pred_labels, strict=True):
        masks = [(true == k, pred == k) for k in range(1, num_objects + 1)]
        yield (
            [_whole_frame_jaccard(*pair) for pair in masks],
            [whole_frame_boundary_f(*pair) for pair in masks],
        )


def _whole_frame_jaccard(true: np.ndarray, pred: np.ndarray) -> float:
    union = np.logical_or(true, pred).sum()
    return float(np.logical_and(true, pred).sum() / union) if union else 1.0


def whole_frame_boundary_f(true: np.ndarray, pred: np.ndarray) -> float:
    """F with the frame-sized boundary maps and dilations of the definition."""
    radius = math.ceil(0.008 * np.linalg.norm(true.shape))
    true_boundary, pred_boundary = _whole_frame_boundary(true), _whole_frame_boundary(pred)
    if not true_boundary.sum() or not pred_boundary.sum():
        return float(true_boundary.sum() == pred_boundary.sum())
    rows, cols = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (rows**2 + cols**2 <= radius**2).astype(np.uint8)
    true_near = cv2.dilate(true_boundary.astype(np.uint8), disk).astype(bool)
    pred_near = cv2.dilate(pred_boundary.astype(np.uint8), disk).astype(bool)
    precision = float((pred_boundary & true_near).sum() / pred_boundary.sum())
    recall = float((true_boundary & pred_near).sum() / true_boundary.sum())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _whole_frame_boundary(mask: np.ndarray) -> np.ndarray:
    # Repeating the last row and column makes the frame's border differ from nothing.
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask != right) | (mask != below) | (mask != diagonal)
