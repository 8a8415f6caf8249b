"""Rough first masks of training clips, so that a network learns to correct the mask that it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from vosmem.errors import InputError

Mask = Bool[np.ndarray, "H W"]
LARGER = 0.15  # greatest share by which a box or an ellipse is larger than the object
EDGE = (0.04, 0.2)  # of erosion and dilation, as a share of the square root of the area
CLICKS = 3  # most clicks
CLICK = 0.15  # radius of a click, as a share of the square root of the area


@dataclass(frozen=True)
class RoughFirstMask:
    """Gives a share of the clips a rough first mask, which the network has to correct.

    Frame 0 of such a clip is repeated as frame 1, and its given labels are replaced by rough ones. The network
    memorises frame 0 with the rough mask and segments frame 1, whose labels are true, as `refine` does at inference.

    Args:
        share: share of the clips, in [0, 1].
        kinds: kinds of rough masks, drawn for each object: `box`, `ellipse`, `hull`, `eroded`, `dilated`, `half`
            (one side is missing) and `clicks`.

    Raises:
        InputError: the share is out of its range, or a kind is unknown.
    """

    share: float = 0.25
    kinds: Sequence[str] = ("box", "ellipse", "hull", "eroded", "dilated", "half", "clicks")

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if not 0 <= self.share <= 1 or unknown or not self.kinds:
            raise InputError(
                f"rough first masks with share={self.share} and kinds={list(self.kinds)}: use a share from 0 to 1 and "
                f"some of {', '.join(KINDS)}"
            )

    def __call__(
        self, frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], rng: np.random.Generator
    ) -> tuple[UInt8[np.ndarray, "T H W 3"], UInt8[np.ndarray, "T H W"]]:
        """Return the clip, or a changed copy."""
        if rng.random() >= self.share:
            return frames, labels
        frames, labels = frames.copy(), labels.copy()
        frames[1], labels[1] = frames[0], labels[0]
        labels[0] = self.rough(labels[1], rng)
        return frames, labels

    def rough(self, labels: UInt8[np.ndarray, "H W"], rng: np.random.Generator) -> UInt8[np.ndarray, "H W"]:
        """Make a rough mask of each object; smaller objects are in front, and no object vanishes."""
        areas = np.bincount(labels.ravel(), minlength=256)
        numbers = sorted(np.flatnonzero(areas[1:]) + 1, key=lambda number: -areas[number])
        result = np.zeros_like(labels)
        for number in numbers:
            own = labels == number
            rough = KINDS[str(rng.choice(list(self.kinds)))](own, rng)
            result[rough if rough.any() else own] = number
        for number in np.setdiff1d(numbers, result):  # hidden by the rough masks of others
            result[labels == number] = number
        return result


def _box(mask: Mask, rng: np.random.Generator) -> Mask:
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    down, across = rng.uniform(0, LARGER / 2, 2) * (bottom - top + 1, right - left + 1)
    top, left, bottom, right = (round(edge) for edge in (top - down, left - across, bottom + down, right + across))
    box = np.zeros_like(mask)
    box[max(0, top) : bottom + 1, max(0, left) : right + 1] = True
    return box


def _ellipse(mask: Mask, rng: np.random.Generator) -> Mask:
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    grown = 1 + rng.uniform(0, LARGER)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    down, across = ((last - first + 1) / 2 * grown for first, last in ((top, bottom), (left, right)))
    inside: Mask = ((rows - (top + bottom) / 2) / down) ** 2 + ((columns - (left + right) / 2) / across) ** 2 <= 1
    return inside


def _hull(mask: Mask, rng: np.random.Generator) -> Mask:
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull > 0


def _eroded(mask: Mask, rng: np.random.Generator) -> Mask:
    return cv2.erode(mask.astype(np.uint8), _brush(mask, rng), borderValue=0) > 0


def _dilated(mask: Mask, rng: np.random.Generator) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), _brush(mask, rng)) > 0


def _half(mask: Mask, rng: np.random.Generator) -> Mask:
    """Remove what lies beyond a line near the object's centre."""
    points = np.argwhere(mask)
    angle = rng.uniform(0, 2 * np.pi)
    along = points @ (np.sin(angle), np.cos(angle))
    kept = points[along <= np.quantile(along, rng.uniform(0.4, 0.7))]
    half = np.zeros_like(mask)
    half[kept[:, 0], kept[:, 1]] = True
    return half


def _clicks(mask: Mask, rng: np.random.Generator) -> Mask:
    points = np.argwhere(mask)
    discs = np.zeros(mask.shape, np.uint8)
    for row, column in rng.choice(points, int(rng.integers(1, CLICKS + 1))):
        cv2.circle(discs, (int(column), int(row)), max(1, round(CLICK * np.sqrt(len(points)))), 1, -1)
    return discs > 0


def _brush(mask: Mask, rng: np.random.Generator) -> UInt8[np.ndarray, "S S"]:
    side = 1 + 2 * max(1, round(rng.uniform(*EDGE) / 2 * np.sqrt(mask.sum())))
    brush: UInt8[np.ndarray, "S S"] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
    return brush


KINDS: dict[str, Callable[[Mask, np.random.Generator], Mask]] = {
    "box": _box,
    "ellipse": _ellipse,
    "hull": _hull,
    "eroded": _eroded,
    "dilated": _dilated,
    "half": _half,
    "clicks": _clicks,
}
