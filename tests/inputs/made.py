"""Small videos and masks for tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

STEP = 4  # frame t is of the grey STEP * t


def write_clip(path, codec="libx264", num_frames=20, size=(64, 48), pixels="yuv420p", times=None, turn=None, **options):
    """A video file; `times` are milliseconds, `turn` degrees. Its right half is darker, so that turns are seen."""
    container_options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=Fraction(25), options={k: str(v) for k, v in options.items()})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if turn is not None:
            stream.set_display_rotation(turn)
        for t in range(num_frames):
            picture = np.full((size[1], size[0], 3), STEP * t, np.uint8)
            picture[:, size[0] // 2 :] //= 2
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[t], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shade(frame):
    """The number of the frame of `write_clip` or `write_frames` that this is."""
    return round(float(frame[:, 4:-4, 4 : frame.shape[2] // 2 - 4].float().mean()) / STEP)


def write_frames(folder: Path, stems, size=(64, 48), suffix=".png"):
    """A folder of frames, the t-th of the grey STEP * t."""
    folder.mkdir(parents=True, exist_ok=True)
    for t, stem in enumerate(stems):
        Image.new("RGB", size, (STEP * t,) * 3).save(folder / f"{stem}{suffix}")
    return folder


def squares(ids, size=(64, 48), side=12):
    """Background with a square of each id, in a row; other types than bytes where an id needs it."""
    mask = np.zeros((size[1], size[0]), np.uint16 if max(ids, default=0) > 255 else np.uint8)
    for index, number in enumerate(ids):
        mask[4 : 4 + side, 2 + index * (side + 2) : 2 + index * (side + 2) + side] = number
    return mask


def write_mask(path: Path, ids, size=(64, 48), mode=None):
    """A mask of squares."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(squares(ids, size))
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


def write_mask_video(path: Path, codec, pixels="yuv420p", ids=([255], [255], [255]), size=(64, 48)):
    """A video whose frames are masks of squares."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for own in ids:
            picture = np.repeat(squares(own, size)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
