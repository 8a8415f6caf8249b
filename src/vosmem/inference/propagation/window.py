"""A window that follows the objects, so that small objects are larger for the network."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from vosmem.errors import InputError

TAIL = 0.01  # share of an object's pixels that may lie beyond each side of its box, so that specks do not stretch it
WIDENING = 1.3  # per frame, while an object is not visible
LEAST_PIXELS = 16  # of a visible object


class Window(NamedTuple):
    """A part of a frame, in whole pixels."""

    top: int
    left: int
    height: int
    width: int


class ObjectBoxes(NamedTuple):
    """Bounding boxes of the objects in a frame, joined to one."""

    box: tuple[float, float, float, float] | None  # top, bottom, left, right edge in pixels; None if none is visible
    all_seen: bool  # whether all objects are visible

    def joined(self, other: "ObjectBoxes") -> "ObjectBoxes":
        """Return the union of both boxes."""
        if self.box is None or other.box is None:
            return ObjectBoxes(self.box or other.box, self.all_seen or other.all_seen)
        (top, bottom, left, right), box = self.box, other.box
        box = (min(top, box[0]), max(bottom, box[1]), min(left, box[2]), max(right, box[3]))
        return ObjectBoxes(box, self.all_seen or other.all_seen)


@dataclass(frozen=True)
class Zoom:
    """Chooses a window around the objects, of the frame's shape, that is enlarged to the network's size.

    The window's share of the frame follows the size of the objects, so that near and far objects have a similar size
    for the network. While an object is not visible the window widens, up to the whole frame.

    Args:
        most: largest magnification; 1 for whole frames.
        margin: ratio of the window's sides to those of the objects' box.
        inertia: weight of the window's last size on a logarithmic scale, in [0, 1).

    Raises:
        InputError: a number is out of its range.
    """

    most: float = 2.0
    margin: float = 3.0
    inertia: float = 0.5

    def __post_init__(self) -> None:
        if self.most < 1 or self.margin < 1 or not 0 <= self.inertia < 1:
            raise InputError(
                f"zoom of most={self.most}, margin={self.margin}, inertia={self.inertia}: use 1 or more for the first "
                "two, and an inertia from 0 to below 1"
            )

    def window(self, object_boxes: ObjectBoxes, last: Window | None, frame: tuple[int, int]) -> Window:
        """Choose the window of the next frame (height and width), from the boxes and the window of the last one."""
        centre, share = (frame[0] / 2, frame[1] / 2), 1.0
        before = None
        if last is not None:
            centre = (last.top + last.height / 2, last.left + last.width / 2)
            share = before = max(last.height / frame[0], last.width / frame[1])
        if object_boxes.box is not None:
            top, bottom, left, right = object_boxes.box
            centre = ((top + bottom) / 2, (left + right) / 2)
            share = self.margin * max((bottom - top) / frame[0], (right - left) / frame[1])
            if before is not None:
                share = share ** (1 - self.inertia) * before**self.inertia
        if not object_boxes.all_seen and before is not None:
            share = max(share, WIDENING * before)
        share = min(1.0, max(1 / self.most, share))
        height, width = (max(1, round(share * length)) for length in frame)
        return Window(_start(centre[0], height, frame[0]), _start(centre[1], width, frame[1]), height, width)


def object_boxes(labels: Integer[Tensor, "H W"], num_objects: int, least: int = LEAST_PIXELS) -> ObjectBoxes:
    """Return the box around the objects 1..K of a label map that have at least `least` pixels.

    Example:
        >>> labels = torch.zeros(40, 60, dtype=torch.uint8)
        >>> labels[10:20, 30:50] = 1
        >>> object_boxes(labels, 2)
        ObjectBoxes(box=(10.0, 20.0, 30.0, 50.0), all_seen=False)
    """
    return as_boxes(measure_boxes(labels, num_objects, least), num_objects)


def measure_boxes(
    labels: Integer[Tensor, "H W"], num_objects: int, least: int = LEAST_PIXELS
) -> Float[Tensor, "5"] | None:
    """Measure what `as_boxes` needs, on the device of the labels and without waiting for it; None without objects."""
    if not num_objects:
        return None
    rows, columns = (_counts_by_line(labels, num_objects, dim) for dim in (0, 1))
    seen = rows.sum(dim=1) >= least
    # Trim each object separately: trimming the joint counts would remove a small object next to a large one.
    return torch.stack([*_edges(rows, seen), *_edges(columns, seen), seen.sum().float()])


def as_boxes(measured: Float[Tensor, "5"] | None, num_objects: int) -> ObjectBoxes:
    """Return the box that `measure_boxes` has measured."""
    if measured is None:
        return ObjectBoxes(None, True)
    top, bottom, left, right, num_seen = measured.tolist()
    return ObjectBoxes((top, bottom, left, right) if num_seen else None, num_seen == num_objects)


def _counts_by_line(labels: Integer[Tensor, "H W"], num_objects: int, dim: int) -> Float[Tensor, "K L"]:
    """Count each object's pixels in each row (`dim` 0) or column (1), without a map for each object."""
    length = labels.shape[dim]
    lines = torch.arange(length, dtype=torch.int32, device=labels.device)
    index = labels.to(torch.int32).mul(length).add_(lines[:, None] if dim == 0 else lines)
    size = (num_objects + 1) * length
    if index.device.type != "cpu":  # bincount waits for the largest entry
        ones = torch.ones_like(index, dtype=torch.float32).flatten()
        counts = ones.new_zeros(size).index_add_(0, index.flatten(), ones)
    else:
        counts = torch.bincount(index.flatten(), minlength=size)
    return counts[length:size].view(num_objects, length).float()


def _start(centre: float, length: int, whole: int) -> int:
    return min(max(0, round(centre - length / 2)), whole - length)


def _edges(counts: Float[Tensor, "K L"], seen: Bool[Tensor, "K"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the first and last edge of the seen objects from their pixels by line, without a tail at either end."""
    share = counts.cumsum(dim=1) / counts.sum(dim=1, keepdim=True).clamp(min=1)
    first, last = (share <= TAIL).sum(dim=1), (share < 1 - TAIL).sum(dim=1) + 1
    return first.masked_fill(~seen, counts.shape[1]).amin().float(), last.masked_fill(~seen, 0).amax().float()
