"""Objects cut out of photographs, and pasted elsewhere with exact masks."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Shaped, UInt8

from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.errors import InputError

MARGIN = 2  # empty pixels around a cut-out, so that its edge fades out when it is rotated
SHOWS = 0.5  # alpha from which a pixel belongs to the object


class CutOut(NamedTuple):
    """An object without its surroundings."""

    # RGB in [0, 255], times alpha, so that interpolation mixes in no colour from outside the object
    colour: Float32[np.ndarray, "h w 3"]
    alpha: Float32[np.ndarray, "h w"]  # 1 inside, 0 outside, soft along the edge


def choose_donor(source: ImageSource, rng: np.random.Generator, tries: int = 40) -> tuple[int, int]:
    """Draw an image and an object that is neither tiny nor cut off by the image's border.

    Args:
        tries: largest number of images to try; then the object that is cut off least is taken.

    Returns:
        index of the image, and the object's id in it.

    Raises:
        InputError: no image that was tried has an object.
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
        raise InputError(f"none of {tries} random images holds an object that can be cut out: use images with objects")
    return best[1], best[2]


def cut_out(labelled: LabelledImage, label: int, longer_side: float) -> CutOut:
    """Cut an object out at a given size.

    Args:
        label: the object's id; it must have a pixel.
        longer_side: pixels of the object's longer side. Shrinking averages areas, so that later affine maps near this
            size do not alias.
    """
    inside = labelled.labels == label
    left, top, width, height = cv2.boundingRect(inside.astype(np.uint8))
    window = np.s_[top : top + height, left : left + width]
    mask = np.pad(inside[window].astype(np.float32), MARGIN)
    image = cv2.copyMakeBorder(labelled.image[window], MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    scale = float(longer_side / max(width, height))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    # The outermost pixels of a drawn mask already hold some background, which would show as an edge.
    alpha = cv2.resize(cv2.erode(mask, np.ones((3, 3), np.uint8)), size, interpolation=interpolation)
    if alpha.max() < SHOWS:  # too thin to lose its edge
        alpha = cv2.resize(mask, size, interpolation=interpolation)
    if scale > 1:
        alpha = _smoothed(alpha, scale)
    colour = cv2.resize(image, size, interpolation=interpolation).astype(np.float32)
    return CutOut(colour * alpha[..., None], alpha)


def _smoothed(alpha: Float32[np.ndarray, "h w"], scale: float) -> Float32[np.ndarray, "h w"]:
    """Smooth the steps of an enlarged mask and keep its edge as sharp as before."""
    smooth = cv2.GaussianBlur(alpha, (0, 0), 0.8 * scale)
    return ((smooth - SHOWS) * (1 + scale) + SHOWS).clip(0, 1)


def recoloured(cutout: CutOut, rng: np.random.Generator) -> CutOut:
    """A copy in slightly different colours."""
    factors = rng.uniform(0.85, 1.15, 3).astype(np.float32)
    return CutOut(np.minimum(cutout.colour * factors, 255 * cutout.alpha[..., None]), cutout.alpha)


def centred(picture: Shaped[np.ndarray, "h w *c"]) -> Float64[np.ndarray, "3 3"]:
    """The affine map that moves an image's centre to the origin."""
    height, width = picture.shape[:2]
    return np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]], float)


def turned(degrees: float, scale: float, x: float, y: float, mirror: bool = False) -> Float64[np.ndarray, "3 3"]:
    """The affine map that mirrors, scales and rotates about the origin, then shifts to (x, y)."""
    angle = np.deg2rad(degrees)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    flip = -1.0 if mirror else 1.0
    return np.array([[flip * cosine, -sine, x], [flip * sine, cosine, y], [0, 0, 1]])


def paste(
    frame: UInt8[np.ndarray, "H W 3"],
    labels: UInt8[np.ndarray, "H W"],
    cutout: CutOut,
    matrix: Float64[np.ndarray, "3 3"],
    label: int,
    bend: Float32[np.ndarray, "g g 2"] | None = None,
) -> None:
    """Paste a cut-out over a frame and its labels, in place.

    Args:
        matrix: affine map from the cut-out's pixels to the frame's.
        label: label of the pixels that show the cut-out; 0 for a distractor.
        bend: displacements (x, y) in the cut-out's pixels on a coarse grid over it, interpolated; None is rigid.
    """
    left, top, right, bottom = _extent(cutout, matrix, frame.shape, bend)
    if left >= right or top >= bottom:
        return
    inverse = np.linalg.inv(matrix)
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    u, v = (np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in inverse[:2])
    if bend is not None:
        shifts = cv2.resize(bend, cutout.alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
        moved = cv2.remap(shifts, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        u, v = u + moved[..., 0], v + moved[..., 1]
    alpha = cv2.remap(cutout.alpha, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    colour = cv2.remap(cutout.colour, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    under = frame[top:bottom, left:right]
    under[:] = (colour + (1 - alpha[..., None]) * under + 0.5).clip(0, 255).astype(np.uint8)
    labels[top:bottom, left:right][alpha >= SHOWS] = label


def _extent(
    cutout: CutOut, matrix: np.ndarray, shape: tuple[int, ...], bend: np.ndarray | None
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the frame that a cut-out can cover."""
    height, width = cutout.alpha.shape
    margin = 0.0 if bend is None else float(np.abs(bend).max()) * 1.5  # cubic interpolation overshoots its grid
    xs, ys = (-margin - 1, width + margin), (-margin - 1, height + margin)
    corners = matrix[:2] @ np.array([[x, y, 1.0] for x in xs for y in ys]).T
    left, top = (max(0, int(low) - 1) for low in corners.min(axis=1))
    right, bottom = (min(side, int(high) + 2) for high, side in zip(corners.max(axis=1), shape[1::-1], strict=True))
    return left, top, right, bottom
