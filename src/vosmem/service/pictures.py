"""Pictures in requests and answers: base64 of image files."""

import base64
import binascii
import io
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image

from vosmem.data.decoding.palette import davis_palette
from vosmem.errors import InputError
from vosmem.ops.masks import id_type

FORMATS = ("PNG", "JPEG", "WEBP")
MASK_MODES = ("L", "P", "1", "I", "I;16", "I;16B")


def decode_frame(text: Any, max_pixels: int) -> UInt8[np.ndarray, "H W 3"]:
    """Decode a frame; `InputError` if it is no image, or has too many pixels."""
    return np.asarray(_open(text, "frame", max_pixels).convert("RGB"))


def decode_mask(text: Any, max_pixels: int) -> Integer[np.ndarray, "H W"]:
    """Decode a mask of object ids; `InputError` if it is no image of ids, or has too many pixels."""
    image = _open(text, "mask", max_pixels)
    if image.mode not in MASK_MODES:
        raise InputError(f"mask is an image of mode {image.mode}: send object ids as a palette or grey PNG")
    return np.array(image).astype(np.int64)


def encode_mask(ids: Integer[np.ndarray, "H W"]) -> str:
    """Encode ids as a PNG: with the palette of DAVIS, or 16-bit grey if an id does not fit."""
    dtype = id_type(np.unique(ids[ids > 0]).tolist())
    image = Image.fromarray(ids.astype(dtype))
    if dtype is np.uint8:
        image.putpalette(davis_palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _open(text: Any, what: str, max_pixels: int) -> Image.Image:
    """Decode an image whose header is checked first."""
    if not isinstance(text, str):
        raise InputError(f"{what} is missing: send an image file in base64")
    try:
        image: Image.Image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=FORMATS)
        small = image.width * image.height <= max_pixels
        if small:
            image.load()
    except (binascii.Error, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{what} cannot be decoded: send a whole PNG, JPEG or WebP in base64") from error
    if not small:
        raise InputError(f"{what} has {image.width}x{image.height} pixels, more than {max_pixels}: shrink it")
    return image
