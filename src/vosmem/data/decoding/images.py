"""Reading photographs and masks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.data.decoding.mask_files import ONE_BYTE, OTHER_COLOURS, VOID, MaskFile, read_mask
from vosmem.data.decoding.pictures import load_picture, read_header
from vosmem.data.decoding.void import VoidRule
from vosmem.errors import InputError

LARGEST_LABEL = 255
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read a picture as RGB bytes; of 16 bits the upper eight.

    Raises:
        InputError: the file is missing, cannot be decoded to the end, or holds fractional numbers.
    """
    return as_rgb(load_picture(path), path)


def as_rgb(image: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """A decoded picture as RGB bytes; of 16 bits the upper eight.

    Args:
        image: the picture.
        path: where it was read, for the message.

    Raises:
        InputError: the picture holds fractional numbers, or colours that have no RGB here.
    """
    if image.mode == "F":
        raise InputError(f"image {str(path)!r} holds fractional numbers: save it with 8 bits a channel")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    try:
        return np.asarray(image.convert("RGB"))
    except ValueError as error:
        raise InputError(f"image {str(path)!r} has colours of the kind {image.mode}: save it as RGB") from error


def read_labels(path: Path, void: VoidRule | None = None) -> UInt8[np.ndarray, "H W"]:
    """Read a mask as object ids; 0 is background.

    Palette and grey pictures carry ids as they are, colours of the DAVIS palette theirs. One-bit masks hold one
    object, id 1. If 255 of a one-byte mask is an object (saliency sets, DAVIS-2016), its id is 1.

    Args:
        path: the picture.
        void: the meaning of 255 in the video of the mask; by default the mask itself settles it.

    Raises:
        InputError: the file is missing, cannot be decoded, has ids above 255, soft edges, or colours that say no id.
    """
    mask = _labelled(path)
    rule = VoidRule() if void is None else void
    if void is None:
        rule.settle(mask, str(path))
    labels = rule.ids(mask).astype(np.uint8)
    if mask.kind in ONE_BYTE:
        labels[labels == VOID] = 1
    return labels


def find_void_rule(paths: Iterable[Path]) -> VoidRule:
    """The meaning of 255 in the masks of a video; no more masks are read than it takes.

    Args:
        paths: the masks in the order of their frames.

    Raises:
        InputError: as of `read_labels`.
    """
    rule = VoidRule()
    for path in paths:
        if rule.settle(_labelled(path), str(path)):
            break
    return rule


def _labelled(path: Path) -> MaskFile:
    """A mask whose ids fit into bytes."""
    mask = read_mask(path, max_objects=None)
    if mask.kind == OTHER_COLOURS:
        raise InputError(f"mask {str(path)!r} holds colours that say no id: save ids, or the colours of DAVIS")
    if mask.ids.max() > LARGEST_LABEL:
        raise InputError(f"mask {str(path)!r} holds id {mask.ids.max()}: use ids up to {LARGEST_LABEL}")
    return mask


def read_silhouette(path: Path) -> UInt8[np.ndarray, "H W"]:
    """Read a mask of one object, of any mode: 1 where it is at least half as bright as its brightest pixel.

    Saliency sets keep their masks as one-bit, 0/1, 0/255 or RGB pictures, some with soft edges. Of a palette picture
    the indices count, not the colours.

    Raises:
        InputError: the file is missing or cannot be decoded.
    """
    image = load_picture(path, "mask")
    grey = np.asarray(image if image.mode == "P" or image.mode.startswith("I") else image.convert("L"))
    most = int(grey.max())
    return (2 * grey.astype(np.int64) >= most).astype(np.uint8) if most else np.zeros(grey.shape, np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height from the header alone.

    Raises:
        InputError: the file is missing or no picture.
    """
    header = read_header(path)
    return header.width, header.height


def is_image(path: Path) -> bool:
    """Whether a folder's entry counts as a picture; hidden files never do."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
