"""Objects cut out of photographs, and pasted elsewhere with exact masks."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Shaped, UInt8

from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.errors import InputError

MARGIN = 2  # empty pixels round a cut-out, so that its edge fades to nothing when it is turned
SHOWS = 0.5  # alpha from which a pixel is the object's


class CutOut(NamedTuple):
    """An object without its surroundings.

    Attributes:
        colour: RGB in [0, 255], times alpha: a blend of neighbours then holds no colour from outside the object.
        alpha: 1 inside, 0 outside, soft along the edge.
    """

    colour: Float32[np.ndarray, "h w 3"]
    alpha: Float32[np.ndarray, "h w"]


def choose_donor(source: ImageSource, rng: np.random.Generator, tries: int = 40) -> tuple[int, int]:
    """A still and an object of it that looks whole: neither a speck nor cut off along the picture's border.

    Args:
        source: the stills.
        rng: where the draws come from.
        tries: stills looked at, at most; then the least cut off of their objects is taken.

    Raises:
        InputError: none of them has an object.
    """
    best = None
    for _ in range(tries):
        item = int(rng.integers(len(source)))
        labels = source.read(item).labels
        ids = np.unique(labels[labels > 0])
        if not len(ids):
            continue
        label = int(rng.choice(ids))
        mask = labels == label
        share = mask.mean()
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).sum() / np.sqrt(mask.sum())
        if 0.01 <= share <= 0.6 and border < 0.4:
            return item, label
        if share >= 0.001 and (best is None or border < best[0]):
            best = (border, item, label)
    if best is None:
        raise InputError(f"none of {tries} stills drawn holds an object that can be cut out")
    return best[1], best[2]


def cut_out(labelled: LabelledImage, label: int, longer_side: float) -> CutOut:
    """Cut an object out at a given size.

    Args:
        still: the photograph; the object must have a pixel.
        label: the object's id in it.
        longer_side: pixels of the object's longer side. Shrinking averages areas, so that later maps near this size do
            not alias.
    """
    mask = (labelled.labels == label).astype(np.float32)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mask = np.pad(mask[window], MARGIN)
    image = cv2.copyMakeBorder(labelled.image[window], MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    scale = float(longer_side / max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    # The outermost pixels of a drawn mask already hold some background: they would glow as a ghostly edge.
    alpha = cv2.resize(cv2.erode(mask, np.ones((3, 3), np.uint8)), size, interpolation=interpolation)
    if alpha.max() < SHOWS:  # too thin to lose its edge
        alpha = cv2.resize(mask, size, interpolation=interpolation)
    if scale > 1:
        alpha = _without_stairs(alpha, scale)
    colour = cv2.resize(image, size, interpolation=interpolation).astype(np.float32)
    return CutOut(colour * alpha[..., None], alpha)


def _without_stairs(alpha: Float32[np.ndarray, "h w"], scale: float) -> Float32[np.ndarray, "h w"]:
    """Round off the steps that a mask's pixels become when they are enlarged, and keep the edge as sharp as it was."""
    smooth = cv2.GaussianBlur(alpha, (0, 0), 0.8 * scale)
    return ((smooth - SHOWS) * (1 + scale) + SHOWS).clip(0, 1)


def recoloured(thing: CutOut, rng: np.random.Generator) -> CutOut:
    """The same object in slightly other colours."""
    factors = rng.uniform(0.85, 1.15, 3).astype(np.float32)
    return CutOut(np.minimum(thing.colour * factors, 255 * thing.alpha[..., None]), thing.alpha)


def centred(picture: Shaped[np.ndarray, "h w *c"]) -> Float64[np.ndarray, "3 3"]:
    """The map that puts a picture's centre at the origin."""
    height, width = picture.shape[:2]
    return np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]], float)


def turned(degrees: float, scale: float, x: float, y: float, mirror: bool = False) -> Float64[np.ndarray, "3 3"]:
    """Mirror, scale and turn about the origin, then shift to (x, y)."""
    angle = np.deg2rad(degrees)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    flip = -1.0 if mirror else 1.0
    return np.array([[flip * cosine, -sine, x], [flip * sine, cosine, y], [0, 0, 1]])


def paste(
    frame: UInt8[np.ndarray, "H W 3"],
    labels: UInt8[np.ndarray, "H W"],
    thing: CutOut,
    matrix: Float64[np.ndarray, "3 3"],
    label: int,
    bend: Float32[np.ndarray, "g g 2"] | None = None,
) -> None:
    """Lay a cut-out over a frame and its labels, in place.

    Args:
        frame: RGB bytes.
        labels: the frame's objects; where the cut-out shows they become `label`.
        thing: the cut-out.
        matrix: affine map from the cut-out's pixels to the frame's.
        label: what the pixels become; 0 for what only hides others.
        bend: shifts (x, y) in the cut-out's pixels on a coarse grid over it, smooth between; None keeps it rigid.
    """
    left, top, right, bottom = _reach(thing, matrix, frame.shape, bend)
    if left >= right or top >= bottom:
        return
    inverse = np.linalg.inv(matrix)
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    u, v = (np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in inverse[:2])
    if bend is not None:
        shifts = cv2.resize(bend, thing.alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
        moved = cv2.remap(shifts, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        u, v = u + moved[..., 0], v + moved[..., 1]
    alpha = cv2.remap(thing.alpha, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    colour = cv2.remap(thing.colour, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    under = frame[top:bottom, left:right]
    under[:] = (colour + (1 - alpha[..., None]) * under + 0.5).clip(0, 255).astype(np.uint8)
    labels[top:bottom, left:right][alpha >= SHOWS] = label


def _reach(
    thing: CutOut, matrix: np.ndarray, shape: tuple[int, ...], bend: np.ndarray | None
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a cut-out can touch within the frame."""
    height, width = thing.alpha.shape
    spare = 0.0 if bend is None else float(np.abs(bend).max()) * 1.5  # cubic interpolation overshoots its grid
    xs, ys = (-spare - 1, width + spare), (-spare - 1, height + spare)
    corners = matrix[:2] @ np.array([[x, y, 1.0] for x in xs for y in ys]).T
    left, top = (max(0, int(low) - 1) for low in corners.min(axis=1))
    right, bottom = (min(side, int(high) + 2) for high, side in zip(corners.max(axis=1), shape[1::-1], strict=True))
    return left, top, right, bottom
