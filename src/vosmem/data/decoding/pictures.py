"""Opening images with Pillow, with a one-line error for a file that cannot be opened."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Num
from PIL import Image, UnidentifiedImageError

from vosmem.errors import InputError

STACKS = ("TIFF", "PNG", "WEBP", "GIF")  # formats whose files hold pages or animations; a JPEG's are previews
HEIF_SUFFIXES, EXR_SUFFIX = (".heic", ".heif"), ".exr"
BIT_DEPTHS, PHOTOMETRIC, PLANES, SAMPLE_FORMAT = 258, 262, 284, 339  # TIFF tags
WHITE_IS_ZERO, SEPARATE, UNSIGNED = 0, 2, 1  # values of these tags
SUBFILE, NO_PAGE = 254, 0b101  # the TIFF tag, and its bits for a smaller copy and for a mask of another page
ORIENTATION, UPRIGHT = 0x0112, 1  # the EXIF tag, and its value for an image that is stored upright


class PictureHeader(NamedTuple):
    """The header of an image file."""

    width: int  # in pixels, as stored
    height: int  # in pixels, as stored
    mode: str  # Pillow's mode
    rotated: bool  # whether EXIF asks viewers to rotate or mirror the image
    turned: bool  # whether Pillow turns the image as the file asks, as it does with TIFF
    # The images in the file, as numbered by Pillow's `seek`; one except for stacks and animations
    pages: tuple[int, ...]
    thumbnails: int  # number of further pages that are smaller copies, other views or masks of others
    bits: int  # bits of a channel: 8, 16, or 32 for 32-bit integers and floating-point numbers


def load_picture(path: Path, what: str = "image", page: int | None = None) -> Image.Image:
    """Decode an image to its end.

    Args:
        what: noun for the file in messages.
        page: page of a stack or an animation, from 0 up; None for a file of one image.

    Raises:
        InputError: the file is missing, cannot be decoded to the end, or holds several images and no page is given.
    """
    _prepare(path, what)
    try:
        with Image.open(path) as image:
            pages, _ = _pages(image)
            if page is not None or len(pages) == 1:
                image.seek(pages[0] if page is None else page)
                image.load()
                return image
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        raise _unreadable(path, what, error) from error
    raise InputError(f"{what} {str(path)!r} holds {len(pages)} images: save each in a file of its own")


def read_header(path: Path, what: str = "image") -> PictureHeader:
    """Read only the header of an image; InputError if the file is missing or not an image."""
    _prepare(path, what)
    try:
        with Image.open(path) as image:
            # `getexif` would decode a PNG without EXIF to its end.
            rotated = "exif" in image.info and image.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT
            bits = _bits(image)
            pages, thumbnails = _pages(image)
            turned = image.format == "TIFF" and image.tag_v2.get(ORIENTATION, UPRIGHT) != UPRIGHT  # type: ignore[attr-defined]
            return PictureHeader(*image.size, image.mode, rotated and not turned, turned, pages, thumbnails, bits)
    except Exception as error:  # see `load_picture`
        raise _unreadable(path, what, error) from error


def _prepare(path: Path, what: str) -> None:
    """Let Pillow open HEIC files with pillow-heif, which shows images upright; refuse EXR, which Pillow cannot open."""
    if path.suffix.lower() == EXR_SUFFIX:
        raise InputError(f"{what} {str(path)!r} is an EXR, which only frames of a user's video may be: save it as PNG")
    if path.suffix.lower() not in HEIF_SUFFIXES:
        return
    try:
        import pillow_heif
    except ImportError as error:
        raise InputError(f"image {str(path)!r} needs pillow-heif: pip install 'vosmem[heif]'") from error
    pillow_heif.register_heif_opener()


def _pages(image: Image.Image) -> tuple[tuple[int, ...], int]:
    """The pages of an image, and the number of smaller copies; the image stays at its first page."""
    if image.format == "MPO":  # a JPEG with previews or the other view of a stereo camera
        return (0,), getattr(image, "n_frames", 1) - 1
    count = getattr(image, "n_frames", 1) if image.format in STACKS else 1
    first = 1 if getattr(image, "default_image", False) and count > 1 else 0  # PNG: shown where animation is unknown
    if count == 1 or image.format != "TIFF":
        return tuple(range(first, count)), 0
    pages = []
    for page in range(count):
        image.seek(page)
        if not image.tag_v2.get(SUBFILE, 0) & NO_PAGE:  # type: ignore[attr-defined]  # a TIFF has tags
            pages.append(page)
    image.seek(0)
    return tuple(pages or [0]), count - max(1, len(pages))


def _bits(image: Image.Image) -> int:
    """Bits of a channel in the file: Pillow silently keeps only the upper eight of a 16-bit colour.

    Raises:
        ValueError: Pillow decodes the file wrongly.
    """
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        depth = max(tags.get(BIT_DEPTHS, (1,)))
        if depth > 8 and tags.get(PLANES) == SEPARATE and len(image.getbands()) > 1:
            raise ValueError(f"its channels of {depth} bits are in separate planes; interleave them")
        if depth == 8 and max(tags.get(SAMPLE_FORMAT, (UNSIGNED,))) != UNSIGNED:
            raise ValueError("its bytes are signed; save them as unsigned")
    if image.mode in ("I", "F"):
        return 32
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    return 16 if image.mode.startswith("I;16") or ";16" in raw else 8


def grey_values(image: Image.Image) -> Num[np.ndarray, "H W"]:
    """The values of a decoded grey image; of a TIFF, unsigned and with black as 0 if the file says so."""
    values = np.asarray(image)
    if image.format != "TIFF":
        return values
    tags = image.tag_v2  # type: ignore[attr-defined]
    if values.dtype == np.int32 and tags.get(BIT_DEPTHS) == (32,) and tags.get(SAMPLE_FORMAT, (1,)) == (UNSIGNED,):
        values = values.view(np.uint32)
    return ~values if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and values.dtype.kind == "u" else values


def _unreadable(path: Path, what: str, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        reason = "missing"
    elif isinstance(error, UnidentifiedImageError) and path.suffix.lower().startswith(".tif"):
        reason = "no TIFF, or with 16 or 64-bit floats or float colours; save it with integers or 32-bit grey"
    else:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{what} {str(path)!r} cannot be read ({reason}): replace the file")
