"""Masks drawn by a user, with undo."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt16

from vosmem.errors import InputError
from vosmem.inputs.prompts import Prompt

BACKGROUND = 0
MAX_UNDO_STEPS = 50
MAX_POINTS = 20_000  # of one stroke
MAX_CLICKS = 100  # on one object
Number = int | float
Point = Sequence[Number]
Ids = UInt16[np.ndarray, "H W"]


class PromptedObject(NamedTuple):
    """What the mask of an object was made from."""

    prompt: Prompt
    base: Bool[np.ndarray, "H W"] | None  # the mask that the prompt corrects
    quality: float | None  # predicted, of a mask without a base


Prompted = Mapping[int, PromptedObject]  # by object id
NONE: Prompted = MappingProxyType({})


class UndoStep(NamedTuple):
    """The state of a frame before a change."""

    t: int
    ids: Ids | None  # the given mask
    absent: frozenset[int]  # ids of the objects marked as absent
    prompted: Prompted
    result: Ids | None  # the mask in the results


class DrawnMasks:
    """The given masks by frame index; a mask holds the ids of its objects.

    `absent` holds the ids of objects marked as absent, by frame index; each of these frames also has a mask.
    `prompted` holds the objects of a frame whose masks were made from prompts and not changed since. The dictionaries
    are replaced and never changed, so a thread that reads one keeps a consistent copy.
    """

    def __init__(self) -> None:
        self.given: dict[int, Ids] = {}
        self.absent: dict[int, frozenset[int]] = {}
        self.prompted: dict[int, Prompted] = {}
        self._undo_steps: list[UndoStep] = []

    def set_mask(self, t: int, ids: Ids, absent: frozenset[int], result: Ids | None, prompted: Prompted = NONE) -> None:
        """Set the mask of frame t, or delete it if it has neither objects nor absent objects.

        `result` is the frame's mask in the results, which the caller restores after `undo`.
        """
        before = self.given.get(t), self.absent.get(t, frozenset()), self.prompted.get(t, NONE)
        self._undo_steps = [*self._undo_steps[1 - MAX_UNDO_STEPS :], UndoStep(t, *before, result)]
        self._set(t, ids if ids.any() or absent else None, absent, prompted)

    def undo(self) -> UndoStep | None:
        """Undo the last change, if there is one."""
        if not self._undo_steps:
            return None
        step = self._undo_steps.pop()
        self._set(step.t, step.ids, step.absent, step.prompted)
        return step

    def _set(self, t: int, ids: Ids | None, absent: frozenset[int], prompted: Prompted) -> None:
        others = {frame: mask for frame, mask in self.given.items() if frame != t}
        self.given = others if ids is None else {**others, t: ids}
        self.absent = {frame: absent_ids for frame, absent_ids in {**self.absent, t: absent}.items() if absent_ids}
        self.prompted = {**self.prompted, t: prompted}


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


def as_prompt(box: Sequence[Any] | None, points: Sequence[Any], size: tuple[int, int]) -> Prompt:
    """Make a prompt of what a page sent, for a frame of that size.

    Args:
        box: two opposite corners in pixels, or None.
        points: x, y in pixels, and 1 on the object or 0 off it.
        size: height and width.

    Raises:
        InputError: the box or the points have another form.
    """
    corners = np.zeros(4) if box is None else _as_numbers(box)
    clicks = np.zeros((0, 3)) if len(points) == 0 else _as_numbers(points)
    if corners.shape != (4,) or clicks.shape != (len(points), 3) or len(points) > MAX_CLICKS:
        raise InputError(f"the prompt is no box and up to {MAX_CLICKS} points: mark the object again")
    if not np.isfinite(corners).all() or not np.isfinite(clicks).all():
        raise InputError("the prompt holds infinite numbers: mark the object again")
    x0, y0, x1, y1 = np.clip(np.rint(corners), -1, max(size) + 1).astype(int).tolist()
    inside = np.clip(clicks[:, :2], 0, (size[1] - 1, size[0] - 1))
    on, off = (tuple(map(tuple, inside[(clicks[:, 2] > 0) == value].tolist())) for value in (True, False))
    return Prompt(None if box is None else (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), on, off)


def _as_numbers(values: Sequence[Any]) -> Float64[np.ndarray, "..."]:
    """An array of values that a page sent; empty if they are no numbers."""
    try:
        return np.array(values, dtype=float)
    except (ValueError, TypeError):
        return np.zeros(0)
