"""Masks drawn by a user, with undo."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, UInt8, UInt16

from vosmem.errors import InputError
from vosmem.inputs.grabcut import mask_from_box

BACKGROUND = 0
MAX_UNDO_STEPS = 50
MAX_POINTS = 20_000  # of one stroke
Number = int | float
Point = Sequence[Number]
Ids = UInt16[np.ndarray, "H W"]


class UndoStep(NamedTuple):
    """The state of a frame before a change."""

    t: int
    ids: Ids | None  # the given mask
    absent: frozenset[int]  # ids of the objects marked as absent
    result: Ids | None  # the mask in the results


class DrawnMasks:
    """The given masks by frame index; a mask holds the ids of its objects.

    `absent` holds the ids of objects marked as absent, by frame index; each of these frames also has a mask. Both
    dictionaries are replaced and never changed, so a thread that reads one keeps a consistent copy.
    """

    def __init__(self) -> None:
        self.given: dict[int, Ids] = {}
        self.absent: dict[int, frozenset[int]] = {}
        self._undo_steps: list[UndoStep] = []

    def set_mask(self, t: int, ids: Ids, absent: frozenset[int], result: Ids | None) -> None:
        """Set the mask of frame t, or delete it if it has neither objects nor absent objects.

        `result` is the frame's mask in the results, which the caller restores after `undo`.
        """
        step = UndoStep(t, self.given.get(t), self.absent.get(t, frozenset()), result)
        self._undo_steps = [*self._undo_steps[1 - MAX_UNDO_STEPS :], step]
        self._set(t, ids if ids.any() or absent else None, absent)

    def undo(self) -> UndoStep | None:
        """Undo the last change, if there is one."""
        if not self._undo_steps:
            return None
        step = self._undo_steps.pop()
        self._set(step.t, step.ids, step.absent)
        return step

    def _set(self, t: int, ids: Ids | None, absent: frozenset[int]) -> None:
        others = {frame: mask for frame, mask in self.given.items() if frame != t}
        self.given = others if ids is None else {**others, t: ids}
        self.absent = {frame: absent_ids for frame, absent_ids in {**self.absent, t: absent}.items() if absent_ids}


def draw_stroke(ids: Ids, object_id: int, points: Sequence[Point], radius: Number) -> Ids:
    """Draw a stroke of a round brush onto a copy of a mask; the id 0 erases. Points (x, y) and radius are in pixels."""
    path = _as_numbers(points) if 0 < len(points) <= MAX_POINTS else np.zeros(0)
    if path.ndim != 2 or path.shape[1] != 2 or not np.isfinite(path).all() or not np.isfinite(radius):
        raise InputError(f"the stroke is no list of 1 to {MAX_POINTS} points: draw it again")
    corners = np.rint(np.clip(path, -max(ids.shape), 2 * max(ids.shape))).astype(np.int32)
    thickness = max(1, round(2 * float(np.clip(radius, 0.5, max(ids.shape)))))
    touched = np.zeros(ids.shape, np.uint8)
    cv2.polylines(touched, [corners[:, None]], isClosed=False, color=1, thickness=thickness)
    for x, y in corners[[0, -1]].tolist():  # round ends, and strokes of one point
        cv2.circle(touched, (x, y), thickness // 2, color=1, thickness=-1)
    return np.where(touched > 0, np.uint16(object_id), ids)


def segment_box(ids: Ids, object_id: int, frame: UInt8[np.ndarray, "H W 3"], box: Sequence[Number]) -> Ids:
    """Replace an object in a copy of a mask by the result of GrabCut in a box of two opposite corners in pixels."""
    corners = _as_numbers(box)
    if corners.shape != (4,) or not np.isfinite(corners).all():
        raise InputError("the box is no four numbers: draw it again")
    x0, y0, x1, y1 = np.clip(np.rint(corners), -1, max(ids.shape) + 1).astype(int).tolist()
    mask = mask_from_box(frame, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    others = np.where(ids == object_id, np.uint16(BACKGROUND), ids)
    return np.where(mask > 0, np.uint16(object_id), others)


def _as_numbers(values: Sequence[Any]) -> Float64[np.ndarray, "..."]:
    """An array of values that a page sent; empty if they are no numbers."""
    try:
        return np.array(values, dtype=float)
    except (ValueError, TypeError):
        return np.zeros(0)
