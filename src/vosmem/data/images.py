"""Reading photographs and masks."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.data.decoding import load_picture, read_header
from vosmem.data.mask_files import OTHER_COLOURS, VOID, read_mask
from vosmem.errors import InputError

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


def read_labels(path: Path, void_is_object: bool | None = None) -> UInt8[np.ndarray, "H W"]:
    """Read a mask as object ids; 0 is background.

    Palette and grey pictures carry ids as they are, colours of the DAVIS palette theirs. One-bit masks hold one
    object, id 1.

    Args:
        path: the picture.
        void_is_object: whether 255 is object 1 or void, read as background. By default it is the object if it is the
            only value beside 0 (saliency sets, DAVIS-2016).

    Raises:
        InputError: the file is missing, cannot be decoded, has ids above 255, or colours that say no id.
    """
    mask = read_mask(path, max_objects=None)
    if mask.kind == OTHER_COLOURS:
        raise InputError(f"mask {str(path)!r} holds colours that say no id: save ids, or the colours of DAVIS")
    if mask.ids.max() > VOID:
        raise InputError(f"mask {str(path)!r} holds id {mask.ids.max()}: use ids up to {VOID}")
    labels = mask.ids.astype(np.uint8)
    if void_is_object is None:
        void_is_object = not np.any((labels > 0) & (labels < VOID))
    labels[labels == VOID] = int(void_is_object)
    return labels


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
