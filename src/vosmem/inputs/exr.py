"""OpenEXR pictures as frames, decoded by FFmpeg."""

from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from vosmem.data.decoding.images import EXR_SUFFIX
from vosmem.data.decoding.pictures import PictureHeader
from vosmem.errors import InputError
from vosmem.inputs.video_container import decode_frames, format_error, open_video

HALF_BITS, FLOAT_BITS = 16, 32
LINEAR_UP_TO, SLOPE, EXPONENT, OFFSET = 0.0031308, 12.92, 1 / 2.4, 0.055  # of sRGB (IEC 61966-2-1)


def is_exr(path: Path) -> bool:
    """Whether a file name is that of an OpenEXR picture."""
    return path.suffix.lower() == EXR_SUFFIX


def read_exr_header(path: Path) -> PictureHeader:
    """Read only the header; `InputError` if the file is missing or no picture."""
    with open_video(path) as (_, stream, _others):
        bits = HALF_BITS if "f16" in str(stream.codec_context.pix_fmt) else FLOAT_BITS
        return PictureHeader(stream.width, stream.height, "F", False, False, (0,), 0, bits)


def read_exr(path: Path) -> Float[np.ndarray, "..."]:
    """Decode red, green and blue, (H, W, 3), or a grey channel, (H, W), from linear light to sRGB without clipping.

    Raises:
        InputError: the file is missing or damaged, or has other channels or another compression than FFmpeg decodes.
    """
    try:
        with open_video(path) as (container, stream, _):
            frame = next(decode_frames(container, stream))
    except (av.FFmpegError, StopIteration) as error:
        raise InputError(
            f"frame {str(path)!r} cannot be read ({format_error(error)}): save it with the channels R, G and B and ZIP "
            "compression"
        ) from error
    dtype = np.dtype(np.float16 if "f16" in frame.format.name else np.float32)
    planes = [
        np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width].astype(np.float32)
        for plane in frame.planes
    ]
    # FFmpeg stores green, blue, red and alpha.
    light = np.stack([planes[2], planes[0], planes[1]], axis=2) if len(planes) > 1 else planes[0]
    light = np.maximum(light, 0)
    return np.where(light <= LINEAR_UP_TO, SLOPE * light, (1 + OFFSET) * light**EXPONENT - OFFSET)
