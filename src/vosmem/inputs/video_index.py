"""What a video file tells without being decoded, and decoding that gives all there is before it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from vosmem.errors import InputError

UNEVEN = 1.5  # frames are unevenly spaced where the longest gap is this many times the shortest


class VideoIndex(NamedTuple):
    """The frames of a video file in order of display.

    Attributes:
        stamps: their time stamps in units of `time_base`, ascending; empty where they tell nothing.
        keys: places of key frames, where decoding can start.
        damaged: stamps of frames whose data are known to be broken.
        num_present: frames whose data the file holds.
        num_frames: the same, and one more where the file was cut: the one that is missed.
        time_base: seconds that one step of a stamp is.
        rate: frames a second, on average; None where nobody knows.
        pixel_shape: width of a pixel over its height.
        promised_seconds: how long the file says it is; 0 where it does not say, or may speak of its sound.
    """

    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    damaged: frozenset[int | None]
    num_present: int
    num_frames: int
    time_base: Fraction
    rate: Fraction | None
    pixel_shape: Fraction
    promised_seconds: float

    def from_frame(self, stamp: int | None) -> "VideoIndex":
        """Without the frames before the one of this stamp."""
        skipped = self.stamps.index(stamp) if stamp in self.stamps else 0
        return self._replace(
            stamps=self.stamps[skipped:],
            keys=tuple(key - skipped for key in self.keys if key >= skipped),
            num_present=self.num_present - skipped,
            num_frames=self.num_frames - skipped,
        )


def read_index(path: Path) -> VideoIndex:
    """Read through a video file without decoding.

    Raises:
        InputError: the file is missing, is no video, or has no pictures in it.
    """
    with opened(path) as (container, stream):
        packets, whole = [], True
        try:
            for packet in container.demux(stream):
                if packet.size:
                    packets.append(
                        _Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_corrupt, packet.is_discard)
                    )
        except av.FFmpegError:
            whole = False
        shown = [packet for packet in packets if not packet.discarded]
        stamps = sorted({packet.pts for packet in shown if packet.pts is not None})
        # AVI knows the order of decoding alone; frames are then counted.
        if len(stamps) < len(shown) or (container.format.name == "avi" and stream.codec_context.has_b_frames):
            stamps = []
        whole &= stream.frames <= len(packets) and not any(packet.damaged for packet in packets)
        num_present = _before_gap(stamps, packets[-1].dts, whole) if stamps else len(shown)
        whole &= num_present == len(shown)
        keys = {packet.pts for packet in shown if packet.key}
        return VideoIndex(
            stamps=tuple(stamps[:num_present]),
            keys=tuple(place for place, stamp in enumerate(stamps[:num_present]) if stamp in keys),
            damaged=frozenset(packet.pts for packet in shown if packet.damaged),
            num_present=num_present,
            num_frames=num_present + (not whole),
            time_base=stream.time_base or Fraction(1),
            rate=stream.average_rate or stream.guessed_rate or None,
            pixel_shape=Fraction(stream.sample_aspect_ratio or 1),
            promised_seconds=(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0,
        )


class _Packet(NamedTuple):
    pts: int | None
    dts: int | None
    key: bool
    damaged: bool
    discarded: bool


def _before_gap(stamps: list[int], last_dts: int | None, whole: bool) -> int:
    """Frames before the first one that a cut took away.

    Packets do not lie in order of display. At the end of a cut file some are there whose neighbours are not, all of
    them later than the last one's turn to be decoded.
    """
    gaps = np.diff(stamps)
    settled = np.array(stamps[1:]) <= (stamps[-1] if last_dts is None else last_dts)
    steady = not settled.any() or gaps[settled].max() <= UNEVEN * gaps[settled].min()
    if not len(gaps) or (whole and not steady):
        return len(stamps)
    wide = ~settled & (gaps > UNEVEN * np.median(gaps))
    return int(np.argmax(wide)) + 1 if wide.any() else len(stamps)


@contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its first stream of pictures, closed at the end.

    Raises:
        InputError: the file is missing, is no video, has no pictures in it, or nothing here decodes them.
    """
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = "missing" if isinstance(error, FileNotFoundError) else said(error)
        raise InputError(f"video {str(path)!r} cannot be read ({reason}): replace the file") from error
    with container:
        if not container.streams.video:
            raise InputError(f"video {str(path)!r} has no pictures in it: give a file with a video stream")
        if container.streams.video[0].codec_context is None:
            raise InputError(f"video {str(path)!r} is coded in an unknown way: convert it to mp4 (H.264)")
        yield container, container.streams.video[0]


def decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames of a stream; at an error those that the decoder still holds, then the error.

    Raises:
        FFmpegError: the stream is damaged there.
    """
    try:
        for packet in container.demux(stream):
            yield from stream.decode(packet)
    except av.FFmpegError:
        yield from stream.decode(None)
        raise


def said(error: Exception) -> str:
    """What FFmpeg says of an error, without the file's name."""
    return getattr(error, "strerror", None) or type(error).__name__
