"""The masks that a user draws, with a way back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64, UInt8, UInt16

from vosmem.errors import InputError
from vosmem.inputs.grabcut import mask_from_box

BACKGROUND = 0
MOST_STEPS = 50  # that can be undone
MOST_POINTS = 20_000  # of one stroke
Number = int | float
Point = Sequence[Number]
Ids = UInt16[np.ndarray, "H W"]


class Step(NamedTuple):
    """A frame as it was before something was drawn.

    Attributes:
        t: its place.
        ids: the mask that was given; None where there was none.
        absent: the objects that were said to be nowhere in it.
        shown: what was shown, where something had been found.
    """

    t: int
    ids: Ids | None
    absent: frozenset[int]
    shown: Ids | None


class DrawnMasks:
    """Masks that are given, frame by frame; a mask holds the ids of its objects.

    Attributes:
        given: the masks by frame.
        absent: by frame, the objects marked as absent; each of these frames also has a mask.

    Both dictionaries are replaced and never changed, so a thread that reads one keeps a consistent copy.
    """

    def __init__(self) -> None:
        self.given: dict[int, Ids] = {}
        self.absent: dict[int, frozenset[int]] = {}
        self._steps: list[Step] = []

    def put(self, t: int, ids: Ids, absent: frozenset[int], shown: Ids | None) -> None:
        """Give the mask of a frame; one without objects is none, unless it says so of one.

        Args:
            t: the frame's place.
            ids: the mask.
            absent: the objects that are nowhere in it.
            shown: what was found in the frame before, for the way back.
        """
        before = Step(t, self.given.get(t), self.absent.get(t, frozenset()), shown)
        self._steps = [*self._steps[1 - MOST_STEPS :], before]
        self._set(t, ids if ids.any() or absent else None, absent)

    def undo(self) -> Step | None:
        """Take the last step back; None where there is none."""
        if not self._steps:
            return None
        step = self._steps.pop()
        self._set(step.t, step.ids, step.absent)
        return step

    def _set(self, t: int, ids: Ids | None, absent: frozenset[int]) -> None:
        others = {at: mask for at, mask in self.given.items() if at != t}
        self.given = others if ids is None else {**others, t: ids}
        self.absent = {at: gone for at, gone in {**self.absent, t: absent}.items() if gone}


def brushed(ids: Ids, number: int, points: Sequence[Point], radius: Number) -> Ids:
    """A mask with a stroke of a round brush on it.

    Args:
        ids: the mask, which stays as it is.
        number: what the stroke draws; 0 erases.
        points: x and y in pixels of the frame, in the order of the stroke; at least one.
        radius: of the brush, in pixels.

    Raises:
        InputError: there are no points, too many, or they are no numbers.
    """
    path = _numbers(points) if 0 < len(points) <= MOST_POINTS else np.zeros(0)
    if path.ndim != 2 or path.shape[1] != 2 or not np.isfinite(path).all() or not np.isfinite(radius):
        raise InputError(f"the stroke is no list of 1 to {MOST_POINTS} points: draw it again")
    height, width = ids.shape
    corners = np.rint(np.clip(path, -max(ids.shape), 2 * max(ids.shape))).astype(np.int32)
    thickness = max(1, round(2 * float(np.clip(radius, 0.5, max(ids.shape)))))
    touched = np.zeros((height, width), np.uint8)
    cv2.polylines(touched, [corners[:, None]], isClosed=False, color=1, thickness=thickness)
    for x, y in corners[[0, -1]].tolist():  # round ends, and strokes of one point
        cv2.circle(touched, (x, y), thickness // 2, color=1, thickness=-1)
    return np.where(touched > 0, np.uint16(number), ids)


def boxed(ids: Ids, number: int, frame: UInt8[np.ndarray, "H W 3"], box: Sequence[Number]) -> Ids:
    """A mask with what GrabCut finds in a box, in the place of what the object had.

    Args:
        ids: the mask, which stays as it is.
        number: the object.
        frame: RGB bytes.
        box: two opposite corners, x0, y0, x1, y1, in pixels.

    Raises:
        InputError: the box is no four numbers, or as of `mask_from_box`.
    """
    corners = _numbers(box)
    if corners.shape != (4,) or not np.isfinite(corners).all():
        raise InputError("the box is no four numbers: draw it again")
    x0, y0, x1, y1 = np.clip(np.rint(corners), -1, max(ids.shape) + 1).astype(int).tolist()
    found = mask_from_box(frame, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    without = np.where(ids == number, np.uint16(BACKGROUND), ids)
    return np.where(found > 0, np.uint16(number), without)


def _numbers(values: Sequence[Any]) -> Float64[np.ndarray, "..."]:
    """An array of what came from a page; an empty one where that is nothing of the kind."""
    try:
        return np.array(values, dtype=float)
    except (ValueError, TypeError):
        return np.zeros(0)
