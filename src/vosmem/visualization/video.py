"""Writing video that browsers play."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

CODEC = "libx264"
OPTIONS = {"crf": "20", "preset": "veryfast"}


def write_video(frames: Iterable[UInt8[np.ndarray, "H W 3"]], path: Path, frames_per_second: Fraction | int) -> Path:
    """Write an H.264 mp4 that starts to play before it is loaded.

    Args:
        frames: RGB bytes, all of one size; at least one. Odd sizes lose a row or a column, since 4:2:0 colour has none.
        path: the mp4 to write; its folder is made.
        frames_per_second: the rate.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: av.VideoStream | None = None
        for frame in frames:
            even = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
            if stream is None:
                added = container.add_stream(CODEC, rate=frames_per_second, options=OPTIONS)
                assert isinstance(added, av.VideoStream)  # by the codec
                stream = added
                stream.height, stream.width, stream.pix_fmt = *even.shape[:2], "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))
    return path
