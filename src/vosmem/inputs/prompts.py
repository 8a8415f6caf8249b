"""What a user gives of an object instead of a mask: a box, points on it and off it, or strokes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.grabcut import (
    BACKGROUND,
    OBJECT,
    Box,
    clipped_box,
    correct_mask,
    mask_from_box,
    mask_from_points,
    mask_from_strokes,
)
from vosmem.ops.masks import MOST_OBJECTS

DISC = 0.012  # radius of a point, as a share of the frame's short side
ENLARGED = 0.1  # of a perturbed box
REACH = 4.0  # of a point that corrects a mask
LARGE_DISC = 0.1  # radius of a point that stands for its object, as a share of the short side
HOLE = 0.04  # radius of the hole that a point off the object makes in a rough mask
LOW_QUALITY = 0.7  # predicted quality below which a user is asked to check the mask
Point = tuple[float, float]  # x, y in pixels


class Prompt(NamedTuple):
    """The prompt of one object: a box or points, or strokes.

    Attributes:
        box: around the object.
        points: on the object.
        not_points: on the background, or on other objects.
        strokes: 1 on the object, 2 on the background, 0 elsewhere; instead of box and points.
    """

    box: Box | None = None
    points: tuple[Point, ...] = ()
    not_points: tuple[Point, ...] = ()
    strokes: UInt16[np.ndarray, "H W"] | None = None

    def perturbed(self, size: tuple[int, int]) -> "Prompt":
        """Return a prompt that a user might as well have given, for a frame of that size.

        The box is 10 % larger, or smaller if it fills the frame; points without a box, and strokes, are moved.
        """
        offset = max(2, round(DISC * min(size)))
        if self.strokes is not None:
            return self._replace(strokes=np.roll(self.strokes, offset, axis=1))
        if self.box is None:
            return self._replace(points=tuple(_moved(point, offset, size) for point in self.points))
        larger = _grown(self.box, ENLARGED, size)
        return self._replace(box=_grown(self.box, -ENLARGED, size) if larger == (0, 0, size[1], size[0]) else larger)

    @property
    def shows_size(self) -> bool:
        """Whether the prompt shows how large the object is, as boxes and strokes do."""
        return self.box is not None or self.strokes is not None

    def rough(self, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
        """Return a rough mask of the object without strokes: its box, or large discs around its points.

        Raises:
            InputError: there is neither a box nor a point on the object, or one lies outside the frame.
        """
        self.check()
        strokes = point_strokes(self, size)
        if self.box is not None:
            x0, y0, x1, y1 = clipped_box(self.box, size)
            mask = strokes == OBJECT
            mask[y0:y1, x0:x1] = True
        else:
            mask = point_strokes(self._replace(not_points=()), size, LARGE_DISC) == OBJECT
        return (mask & (point_strokes(self._replace(points=()), size, HOLE) != BACKGROUND)) | (strokes == OBJECT)

    def check(self) -> None:
        """Raise `InputError` if nothing is on the object."""
        if self.strokes is None and self.box is None and not self.points:
            raise InputError("an object has neither a box nor a point on it: give one of them")

    def reach(self, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
        """Return where the object may be: inside a box that is 10 % larger, or anywhere in a frame of that size."""
        inside = np.ones(size, bool)
        if self.box is not None:
            x0, y0, x1, y1 = _grown(self.box, ENLARGED, size)
            inside[:] = False
            inside[y0:y1, x0:x1] = True
        return inside


def _grown(box: Box, share: float, size: tuple[int, int]) -> Box:
    """Enlarge a box by a share of its sides, and clip it to the frame."""
    right, down = (round(share / 2 * side) for side in (box[2] - box[0], box[3] - box[1]))
    x0, y0, x1, y1 = box[0] - right, box[1] - down, box[2] + right, box[3] + down
    return max(0, x0), max(0, y0), min(size[1], x1), min(size[0], y1)


def _moved(point: Point, offset: int, size: tuple[int, int]) -> Point:
    """Move a point towards the middle of the frame, so that it stays inside."""
    x, y = point
    return x + (offset if x < size[1] / 2 else -offset), y + (offset if y < size[0] / 2 else -offset)


def make_prompts(boxes: Any = None, points: Any = None, labels: Any = None) -> list[Prompt]:
    """Make the prompts of objects 1, 2, ... from the arguments of `Segmenter.first_mask`.

    Raises:
        InputError: the arguments are of different lengths, a box has not four numbers, a point not two, or a label is
            not 0 or 1.

    Example:
        >>> make_prompts([(1, 2, 30, 40)], [[(5, 6), (7, 8)]], [[1, 0]])
        [Prompt(box=(1, 2, 30, 40), points=((5.0, 6.0),), not_points=((7.0, 8.0),), strokes=None)]
    """
    number = len(boxes if boxes is not None else points if points is not None else ())
    boxes_of = [None] * number if boxes is None else [_as_box(box) for box in boxes]
    points_of = (
        [[] for _ in range(number)] if points is None else [[_as_point(point) for point in own] for own in points]
    )
    labels_of = [[1] * len(own) for own in points_of] if labels is None else labels
    lengths = len(boxes_of), len(points_of), len(labels_of)
    if len(set(lengths)) > 1 or any(len(a) != len(b) for a, b in zip(points_of, labels_of, strict=True)):
        raise InputError(
            "boxes, points and labels are of different lengths: give one box, one list of points and one list of as "
            "many labels for each object"
        )
    prompts = []
    for box, own, signs in zip(boxes_of, points_of, labels_of, strict=True):
        if not set(signs) <= {0, 1}:
            raise InputError(f"labels {list(signs)}: give 1 for points on the object and 0 for the others")
        on, off = (tuple(p for p, sign in zip(own, signs, strict=True) if sign == value) for value in (1, 0))
        prompts.append(Prompt(box, on, off))
    return prompts


def _as_box(values: Any) -> Box:
    if len(values) != 4:
        raise InputError(f"box {tuple(values)} has not four numbers: give x0, y0, x1, y1")
    x0, y0, x1, y1 = (round(float(value)) for value in values)
    return x0, y0, x1, y1


def _as_point(values: Any) -> Point:
    if len(values) != 2:
        raise InputError(f"point {tuple(values)} has not two numbers: give x, y")
    return float(values[0]), float(values[1])


def cut_out(frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt) -> Bool[np.ndarray, "H W"]:
    """Segment the object of a prompt by GrabCut.

    Points are discs that keep their values. Without a box, the frame's border counts as background.

    Raises:
        InputError: the prompt cannot hold an object, or a point lies outside the frame.
    """
    if prompt.strokes is not None:
        return mask_from_strokes(frame, prompt.strokes) > 0
    prompt.check()
    strokes = point_strokes(prompt, frame.shape[:2])
    if prompt.box is not None:
        return mask_from_box(frame, prompt.box, strokes) > 0
    border = np.ones(frame.shape[:2], bool)
    border[2:-2, 2:-2] = False
    strokes[border & (strokes == 0)] = BACKGROUND
    return mask_from_points(frame, strokes) > 0


def point_strokes(prompt: Prompt, size: tuple[int, int], radius: float = DISC) -> UInt16[np.ndarray, "H W"]:
    """Draw the points of a prompt as discs, with the values of strokes; the radius is a share of the short side.

    Raises:
        InputError: a point lies outside the frame.
    """
    height, width = size
    strokes = np.zeros(size, np.uint8)
    pixels = max(2, round(radius * min(size)))
    for value, points in ((OBJECT, prompt.points), (BACKGROUND, prompt.not_points)):
        for x, y in points:
            if not (0 <= x < width and 0 <= y < height):
                raise InputError(f"point {x:g},{y:g} is outside the frame of {width}x{height}: give x,y in pixels")
            cv2.circle(strokes, (int(x), int(y)), pixels, value, -1)
    return strokes.astype(np.uint16)


def correct(
    frame: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], prompt: Prompt
) -> Bool[np.ndarray, "H W"]:
    """Correct a mask at the points of a prompt, as `correct_mask` does.

    A point is taken for the middle of an error, which reaches at most `REACH` times as far as the nearest edge of the
    mask. A point where the mask is right changes nothing.
    """
    near = np.zeros(mask.shape, np.uint8)
    for points, is_object in ((prompt.points, True), (prompt.not_points, False)):
        wrong = mask != is_object
        depth = cv2.distanceTransform(wrong.astype(np.uint8), cv2.DIST_L2, 5)
        for x, y in points:
            cv2.circle(near, (int(x), int(y)), round(REACH * float(depth[int(y), int(x)])), 1, -1)
    return correct_mask(frame, mask, point_strokes(prompt, mask.shape), near > 0)


def join_objects(
    objects: Sequence[Bool[np.ndarray, "H W"]],
) -> tuple[UInt8[np.ndarray, "H W"], tuple[Note, ...]]:
    """Join the masks of objects 1, 2, ...; smaller objects are in front, with a note if objects overlap.

    Raises:
        InputError: there are too many objects, or one is hidden by others.
    """
    if len(objects) > MOST_OBJECTS:
        raise InputError(f"{len(objects)} objects are given: give up to {MOST_OBJECTS}")
    ids, overlap = np.zeros(objects[0].shape, np.uint8), False
    for index in np.argsort([-int(own.sum()) for own in objects], kind="stable"):
        overlap |= bool(ids[objects[index]].any())
        ids[objects[index]] = index + 1
    hidden = set(range(1, len(objects) + 1)) - set(np.unique(ids).tolist())
    if hidden:
        raise InputError(f"object {min(hidden)} is empty or hidden by others: give its box or points again")
    return ids, (Decision.OBJECTS_OVERLAP.note(),) if overlap else ()


def quality_note(number: int, quality: float) -> Note:
    """Return the note on the predicted quality of an object's first mask, a warning if it is low."""
    decision = Decision.FIRST_MASK if quality >= LOW_QUALITY else Decision.FIRST_MASK_UNCERTAIN
    return decision.note(number=number, quality=quality)
