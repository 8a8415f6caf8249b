"""Opening pictures with Pillow, and one line for each that cannot be opened."""

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vosmem.errors import InputError

ORIENTATION, UPRIGHT = 0x0112, 1  # the EXIF tag, and its value for a picture that is stored as it is to be seen


class PictureHeader(NamedTuple):
    """What a picture says of itself before it is decoded.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        mode: Pillow's word for what a pixel holds.
        rotated: whether EXIF asks viewers to turn or mirror it.
    """

    width: int
    height: int
    mode: str
    rotated: bool


def load_picture(path: Path, what: str = "image") -> Image.Image:
    """Decode a picture to its end.

    Args:
        path: the file.
        what: what the message calls it.

    Raises:
        InputError: the file is missing or cannot be decoded to the end.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        raise _unreadable(path, what, error) from error


def read_header(path: Path, what: str = "image") -> PictureHeader:
    """Read a picture's header alone.

    Args:
        path: the file.
        what: what the message calls it.

    Raises:
        InputError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as image:
            # Asked for more, a PNG without EXIF would be decoded to its end.
            rotated = "exif" in image.info and image.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT
            return PictureHeader(*image.size, image.mode, rotated)
    except Exception as error:  # as above
        raise _unreadable(path, what, error) from error


def _unreadable(path: Path, what: str, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        reason = "missing"
    else:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{what} {str(path)!r} cannot be read ({reason}): replace the file")
