"""Reading images and masks as arrays."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted
from PIL import Image

from vosmem.data.decoding.mask_files import ONE_BYTE, OTHER_COLOURS, VOID, MaskFile, read_mask
from vosmem.data.decoding.pictures import EXR_SUFFIX as EXR_SUFFIX
from vosmem.data.decoding.pictures import load_picture, read_header
from vosmem.data.decoding.void import VoidRule
from vosmem.errors import InputError

LARGEST_LABEL = 255
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".heic", ".heif", EXR_SUFFIX)


def is_image(path: Path) -> bool:
    """Whether a file name is that of an image; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def list_pictures(folder: Path) -> list[Path]:
    """The images of a folder in natural order.

    Raises:
        InputError: the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} not found: correct the path, or set the root of the data set")
    pictures = natsorted(path for path in folder.iterdir() if is_image(path))
    if not pictures:
        raise InputError(f"folder {str(folder)!r} holds no images: expected files {', '.join(IMAGE_SUFFIXES)}")
    return pictures


def image_size(path: Path) -> tuple[int, int]:
    """Width and height from the header; InputError if the file is missing or not an image."""
    header = read_header(path)
    return header.width, header.height


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read an image as RGB bytes; of 16 bits the upper eight.

    Raises:
        InputError: the file is missing, cannot be decoded to the end, or holds floating-point numbers.
    """
    return as_rgb(load_picture(path), path)


def as_rgb(image: Image.Image, path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Convert a decoded image to RGB bytes; of 16 bits the upper eight.

    Raises:
        InputError: the image holds floating-point numbers, or a colour space that Pillow cannot convert to RGB.
    """
    if image.mode == "F":
        raise InputError(f"image {str(path)!r} holds floating-point numbers: save it with 8 bits a channel")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    try:
        return np.asarray(image.convert("RGB"))
    except ValueError as error:
        raise InputError(f"image {str(path)!r} has colour mode {image.mode}: save it as RGB") from error


def read_labels(path: Path, void: VoidRule | None = None) -> UInt8[np.ndarray, "H W"]:
    """Read a mask as object ids; 0 is background.

    The values of palette and grey images are the ids; colours of the DAVIS palette have its ids. One-bit masks hold one
    object, id 1. If 255 of a one-byte mask is an object (saliency sets, DAVIS-2016), its id becomes 1.

    Args:
        path: the mask.
        void: the meaning of 255 in the video of the mask; by default derived from this mask.

    Raises:
        InputError: the file is missing, cannot be decoded, has ids above 255, soft edges, or colours that are no ids.
    """
    mask = _read_byte_ids(path)
    rule = VoidRule() if void is None else void
    if void is None:
        rule.settle(mask, str(path))
    labels = rule.ids(mask).astype(np.uint8)
    if mask.kind in ONE_BYTE:
        labels[labels == VOID] = 1
    return labels


def find_void_rule(paths: Iterable[Path]) -> VoidRule:
    """Find the meaning of 255 in the masks of a video, in the order of frames; only masks that are needed are read.

    Raises:
        InputError: see `read_labels`.
    """
    rule = VoidRule()
    for path in paths:
        if rule.settle(_read_byte_ids(path), str(path)):
            break
    return rule


def _read_byte_ids(path: Path) -> MaskFile:
    mask = read_mask(path, max_objects=None)
    if mask.kind == OTHER_COLOURS:
        raise InputError(f"mask {str(path)!r} holds colours that are no ids: save ids, or the colours of DAVIS")
    if mask.ids.max() > LARGEST_LABEL:
        raise InputError(f"mask {str(path)!r} holds id {mask.ids.max()}: use ids up to {LARGEST_LABEL}")
    return mask


def read_silhouette(path: Path) -> UInt8[np.ndarray, "H W"]:
    """Read a mask of one object, of any mode: 1 where it is at least half as bright as its brightest pixel.

    Saliency sets store masks as one-bit, 0/1, 0/255 or RGB images, some with soft edges. In a palette image the indices
    count, not the colours.

    Raises:
        InputError: the file is missing or cannot be decoded.
    """
    image = load_picture(path, "mask")
    grey = np.asarray(image if image.mode == "P" or image.mode.startswith("I") else image.convert("L"))
    brightest = int(grey.max())
    return (2 * grey.astype(np.int64) >= brightest).astype(np.uint8) if brightest else np.zeros(grey.shape, np.uint8)
