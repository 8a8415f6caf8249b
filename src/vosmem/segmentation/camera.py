"""Record a camera, whose recording is then segmented like any video file."""

import signal
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from vosmem.errors import InputError
from vosmem.files import unwritable
from vosmem.inputs.video_container import format_error
from vosmem.stopping import Stopped, StopSignals
from vosmem.visualization.video import VideoWriter

PREFIX = "camera:"
RECORDING = "camera.mp4"
DEFAULT_RATE = Fraction(30)  # frames/s of cameras that do not state theirs


class Device(NamedTuple):
    """A capture device, as FFmpeg names it."""

    file: str
    format: str
    options: Mapping[str, str]


def is_camera(source: Path) -> bool:
    """Whether an input names a camera; a file of that name takes precedence."""
    return str(source).startswith(PREFIX) and not source.exists()


def find_device(name: str, system: str = sys.platform) -> Device:
    """The device of a number or a name.

    Args:
        name: index of the camera from 0; on Linux also the path of a device, elsewhere its name.
        system: as `sys.platform`.

    Raises:
        InputError: there is no camera of that index (Windows).

    Example:
        >>> find_device("0", "linux").file, find_device("1", "darwin").file, find_device("HD Webcam", "win32").file
        ('/dev/video0', '1', 'video=HD Webcam')
    """
    if system == "darwin":
        return Device(name, "avfoundation", {"framerate": str(DEFAULT_RATE)})
    if system != "win32":
        return Device(f"/dev/video{name}" if name.isdecimal() else name, "v4l2", {})
    if name.isdecimal():
        cameras = [found.description for found in av.enumerate_input_devices("dshow") if "video" in found.media_types]
        if int(name) >= len(cameras):
            raise InputError(f"camera {name} is missing: connect it, or name one of {', '.join(cameras) or 'none'}")
        name = cameras[int(name)]
    return Device(f"video={name}", "dshow", {})


def record_camera(source: Path, folder: Path, num_frames: int | None = None) -> Path:
    """Record a camera into `camera.mp4` of a folder, and return its path; a finished recording is used again.

    Args:
        source: `camera:` and an index or a name.
        folder: folder of the results.
        num_frames: number of frames; None to record until Ctrl-C.

    Raises:
        InputError: the camera cannot be opened, or gives no frame.
        Stopped: SIGTERM came; the recording is complete up to there.
    """
    path = folder / RECORDING
    if path.is_file():
        print(f"vosmem: {str(path)!r} is there already and is used: the camera is not opened", file=sys.stderr)
        return path
    device = find_device(str(source).removeprefix(PREFIX))
    try:
        camera = av.open(device.file, format=device.format, options=dict(device.options))
    except (av.FFmpegError, ValueError) as error:  # ValueError: this build of FFmpeg has no such format
        raise _unreadable(device, error) from error
    until = "until Ctrl-C" if num_frames is None else f"{num_frames} frames, or until Ctrl-C"
    print(f"vosmem: recording {until}", file=sys.stderr)
    with camera, StopSignals() as signals:
        stream = camera.streams.video[0]
        count = 0
        try:
            with VideoWriter(path, stream.average_rate or DEFAULT_RATE) as video:
                for frame in _frames(camera.decode(stream), device):
                    video.add(frame.to_ndarray(format="rgb24"))
                    count += 1
                    if count == num_frames or signals.asked is not None:
                        break
        except OSError as error:
            raise unwritable(error, path, "name another --output") from error
    print(f"vosmem: recorded {count} frames to {str(path)!r}", file=sys.stderr)
    if signals.asked is signal.SIGTERM:
        raise Stopped(128 + signal.SIGTERM)
    return path


def _frames(decoded: Iterator[av.VideoFrame], device: Device) -> Iterator[av.VideoFrame]:
    """The frames of a camera; one that is disconnected after its first frame ends the recording."""
    frame = None
    try:
        for frame in decoded:
            yield frame
    except av.FFmpegError as error:
        if frame is None:
            raise _unreadable(device, error) from error
        print(f"vosmem: warning: the camera ended ({format_error(error)})", file=sys.stderr)
    if frame is None:
        raise InputError(f"camera {device.file!r} gave no frame: check it in another program")


def _unreadable(device: Device, error: Exception) -> InputError:
    return InputError(
        f"camera {device.file!r} cannot be read ({format_error(error)}): connect it, or name another as {PREFIX}NUMBER"
    )
