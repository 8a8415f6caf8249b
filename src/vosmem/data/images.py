"""Reading photographs and masks."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.errors import InputError

VOID = 255
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read a picture as RGB bytes.

    Raises:
        InputError: the file is missing or cannot be decoded to the end.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"image {str(path)!r} cannot be read ({_reason(error)}): replace the file") from error


def read_labels(path: Path, void_is_object: bool | None = None) -> UInt8[np.ndarray, "H W"]:
    """Read a mask as object ids; 0 is background.

    Palette and grey pictures carry ids as they are. One-bit masks hold one object, id 1.

    Args:
        path: the picture.
        void_is_object: whether 255 is object 1 or void, read as background. By default it is the object if it is the
            only value beside 0 (saliency sets, DAVIS-2016).

    Raises:
        InputError: the file is missing, cannot be decoded, or is a colour picture.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("1", "L", "P"):
                raise InputError(
                    f"mask {str(path)!r} has mode {image.mode}: save it as palette or 8-bit grey PNG of ids"
                )
            labels = np.array(image.convert("L") if image.mode == "1" else image, dtype=np.uint8)
    except (OSError, SyntaxError) as error:
        raise InputError(f"mask {str(path)!r} cannot be read ({_reason(error)}): replace the file") from error
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
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):
                grey = np.asarray(image)
            else:
                grey = np.asarray(image if image.mode == "P" else image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"mask {str(path)!r} cannot be read ({_reason(error)}): replace the file") from error
    most = int(grey.max())
    return (2 * grey.astype(np.int64) >= most).astype(np.uint8) if most else np.zeros(grey.shape, np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height from the header alone.

    Raises:
        InputError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError) as error:
        raise InputError(f"image {str(path)!r} cannot be read ({_reason(error)}): replace the file") from error


def is_image(path: Path) -> bool:
    """Whether a folder's entry counts as a picture; hidden files never do."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _reason(error: Exception) -> str:
    return (
        "missing"
        if isinstance(error, FileNotFoundError)
        else str(error).splitlines()[0]
        if str(error)
        else type(error).__name__
    )
