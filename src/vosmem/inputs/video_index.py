"""The frames of a video file and their presentation timestamps."""

import mmap
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from vosmem.data.decoding.notes import Decision, Note
from vosmem.inputs.video_container import decode_frames, open_video

UNEVEN = 1.5  # frames are unevenly spaced if the longest gap is this many times the shortest
# In these codecs each packet is one frame. Others hide frames in packets, or pack two into one (XviD's B-frames).
FRAME_PER_PACKET = ("h264", "hevc", "vp9", "av1", "ffv1", "png", "gif", "libdav1d", "libaom-av1", "libvpx-vp9")
ROUNDING = 2  # ticks of the container's clock by which the first and the last timestamp may be off together
MAX_RATE = 1000  # frames/s; a higher figure is the container's clock, not a frame rate
MAX_REORDERED = 2  # frames by which a guessed order is off
MAX_DENOMINATOR = 1001  # as in 30000/1001


class VideoIndex(NamedTuple):
    """The frames of a video file in display order."""

    timestamps: tuple[int, ...]  # of presentation in units of `time_base`, ascending; empty if the file has none
    seekable: bool  # whether frames can be found by timestamp; otherwise frames are counted
    keys: tuple[int, ...]  # indices of key frames, where decoding can start
    damaged: frozenset[int]  # indices of frames with damaged data
    num_present: int  # number of frames whose data the file holds
    num_frames: int  # `num_present`, plus one for the missing frame if the file was cut
    time_base: Fraction  # seconds per unit of a timestamp
    rate: Fraction | None  # mean frames/s; None if unknown
    pixel_aspect: Fraction  # width of a pixel over its height
    promised_seconds: float  # duration by the header; 0 if unknown or if it may be that of the sound
    notes: tuple[Note, ...]

    def from_frame(self, timestamp: int | None) -> "VideoIndex":
        """Drop the frames before the one with this timestamp."""
        skipped = self.timestamps.index(timestamp) if self.seekable and timestamp in self.timestamps else 0
        return self._replace(
            timestamps=self.timestamps[skipped:],
            keys=tuple(key - skipped for key in self.keys if key >= skipped),
            damaged=frozenset(t - skipped for t in self.damaged if t >= skipped),
            num_present=self.num_present - skipped,
            num_frames=self.num_frames - skipped,
        )


class _Packet(NamedTuple):
    end: int  # position in the file
    pts: int | None
    dts: int | None
    key: bool
    damaged: bool
    discarded: bool


class _Timeline(NamedTuple):
    """Timestamps of a stream in display order, and whether the stream ends as the file says."""

    timestamps: list[int]
    seekable: bool
    num_present: int
    complete: bool
    damaged: frozenset[int] = frozenset()
    notes: tuple[Note, ...] = ()


def read_index(path: Path) -> VideoIndex:
    """Index a video file by its packets. Decode it only if packets do not determine the frames."""
    with open_video(path) as (container, stream, others):
        packets, complete = _read_packets(container, stream)
        shown = [packet for packet in packets if not packet.discarded]
        complete &= _has_promised_packets(stream, packets)
        if _packets_are_frames(container, stream, shown):
            timeline = _timeline_of_packets(shown, complete)
        else:
            timeline = _timeline_of_frames(path, complete, [packet.dts for packet in shown])
        timestamps = timeline.timestamps[: timeline.num_present]
        key_timestamps = {packet.pts for packet in shown if packet.key} if timeline.seekable else set()
        time_base = stream.time_base or Fraction(1)
        rate, notes = _find_rate(stream, timestamps, time_base)
        if others:
            used, *unused = [f"{each.index} ({each.width}x{each.height})" for each in (stream, *others)]
            notes.insert(0, Decision.STREAM_CHOSEN.note(stream=used, others=", ".join(unused)))
        if packets and _begins_again(path, max(packet.end for packet in packets)):
            notes.append(Decision.RECORDING_LEFT_OUT.note())
        return VideoIndex(
            timestamps=tuple(timestamps),
            seekable=timeline.seekable,
            keys=tuple(t for t, pts in enumerate(timestamps) if pts in key_timestamps),
            damaged=timeline.damaged,
            num_present=timeline.num_present,
            num_frames=timeline.num_present + (not timeline.complete),
            time_base=time_base,
            rate=rate,
            pixel_aspect=Fraction(stream.sample_aspect_ratio or 1),
            promised_seconds=(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0,
            notes=(*notes, *timeline.notes),
        )


def _read_packets(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[list[_Packet], bool]:
    """The packets of a stream, and whether the container could be read to its end."""
    packets = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                flags = packet.is_keyframe, packet.is_corrupt, packet.is_discard
                packets.append(_Packet((packet.pos or 0) + packet.size, packet.pts, packet.dts, *flags))
    except av.FFmpegError:
        return packets, False
    return packets, True


def _has_promised_packets(stream: av.VideoStream, packets: Sequence[_Packet]) -> bool:
    """Whether the header counts no packet beyond the last one. AVI counts dropped frames, which are empty packets."""
    if stream.frames <= len(packets):
        return True
    times = [packet.dts for packet in packets if packet.dts is not None]
    tick, rate = stream.time_base, stream.average_rate
    if len(times) < 2 or tick is None or rate is None or tick * rate != 1:
        return False
    return stream.frames <= times[-1] + min(after - before for before, after in pairwise(times))


def _begins_again(path: Path, end: int) -> bool:
    """Whether the beginning of the file occurs again after its last packet, where FFmpeg does not read on."""
    with open(path, "rb") as file:
        head = file.read(12)
        marks = {b"ftyp": head[:8], b"FLV\x01": head[:4], b"AVI ": head[8:], b"\x1a\x45\xdf\xa3": head[:4]}
        marks[b"\x30\x26\xb2\x75"] = head[:8]  # ASF and WMV
        mark = next((mark for key, mark in marks.items() if key in head), b"")
        if not mark:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(mark, end) >= 0


def _packets_are_frames(
    container: av.container.InputContainer, stream: av.VideoStream, shown: Sequence[_Packet]
) -> bool:
    """Whether each packet is one frame that is displayed at the packet's timestamp."""
    one_each = stream.codec.name in FRAME_PER_PACKET or stream.codec.intra_only
    timestamps = {packet.pts for packet in shown} - {None}
    in_order = all(None in (a.dts, b.dts) or a.dts < b.dts for a, b in pairwise(shown))  # type: ignore[operator]
    # AVI stores only the decoding order.
    has_display_order = not (container.format.name == "avi" and stream.codec_context.has_b_frames)
    # In joined recordings the last packet of a part is marked as damaged, but it can be decoded.
    joined = any(packet.damaged for packet in shown[:-1])
    return bool(shown) and one_each and in_order and has_display_order and not joined and len(timestamps) == len(shown)


def _timeline_of_packets(shown: Sequence[_Packet], complete: bool) -> _Timeline:
    timestamps = sorted(packet.pts for packet in shown if packet.pts is not None)
    last = shown[-1]
    complete &= not last.damaged
    before_gap = _frames_before_gap(timestamps, last.dts)
    damaged = {timestamps.index(last.pts)} if last.damaged and last.pts is not None else ()
    timeline = _Timeline(timestamps, True, len(timestamps), complete, frozenset(damaged))
    if before_gap == len(timestamps):
        return timeline
    if complete:  # a tool that cuts without encoding also leaves gaps, in a file that is not damaged
        return timeline._replace(notes=(Decision.FRAMES_MISSING.note(t=before_gap),))
    return timeline._replace(num_present=before_gap)


def _timeline_of_frames(path: Path, complete: bool, stored: Sequence[int | None]) -> _Timeline:
    """Decode the whole stream to count its frames; `stored` are the decoding times of its packets."""
    presentation: list[int | None] = []
    decoding: list[int | None] = []
    damaged = set()
    with open_video(path) as (container, stream, _):
        try:
            for t, frame in enumerate(decode_frames(container, stream)):
                presentation.append(frame.pts)
                decoding.append(frame.dts)
                if frame.is_corrupt:
                    damaged.add(t)
        except av.FFmpegError:
            complete = False
    timeline = _Timeline([], False, len(presentation), complete, frozenset(damaged))
    for timestamps in (presentation, decoding, stored):
        known = [pts for pts in timestamps if pts is not None]
        if len(known) == len(timestamps) == len(presentation) and _nearly_ascending(known):
            seekable = timestamps is presentation and known == sorted(known)
            return timeline._replace(timestamps=sorted(known), seekable=seekable)
    known = [pts for pts in presentation if pts is not None]
    if len(known) < len(presentation):
        return timeline
    back = [t for t, (before, after) in enumerate(pairwise(known), start=1) if after <= before]
    note = Decision.STAMPS_GO_BACK.note(t=back[0], more=f" and {len(back) - 1} more" if len(back) > 1 else "")
    return timeline._replace(timestamps=_joined(known), notes=(note,))


def _nearly_ascending(timestamps: Sequence[int]) -> bool:
    """Whether timestamps ascend, or are off as guesses of a container that stores only the decoding order.

    Example:
        >>> _nearly_ascending([0, 2, 1, 3]), _nearly_ascending([0, 0, 1]), _nearly_ascending([5, 6, 7, 1, 2, 3])
        (True, False, False)
    """
    moved = np.abs(np.argsort(timestamps, kind="stable") - np.arange(len(timestamps)))
    return len(set(timestamps)) == len(timestamps) and int(moved.max(initial=0)) <= MAX_REORDERED


def _joined(timestamps: Sequence[int]) -> list[int]:
    """Continue with the median gap where the timestamps of the next recording go back.

    Example:
        >>> _joined([10, 20, 30, 10, 20])
        [10, 20, 30, 40, 50]
    """
    gaps = np.diff(timestamps)
    median = int(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1
    return np.cumsum([timestamps[0], *np.where(gaps > 0, gaps, median)]).tolist()


def _find_rate(
    stream: av.VideoStream, timestamps: Sequence[int], time_base: Fraction
) -> tuple[Fraction | None, list[Note]]:
    """Frames per second: a rate of the header if the timestamps agree with it, else the mean by the timestamps."""
    reported = stream.average_rate or stream.guessed_rate or None
    nominal = Fraction(reported) if reported and reported <= MAX_RATE else None
    if len(timestamps) < 2:
        return nominal, [] if timestamps or nominal is None else [Decision.RATE_ASSUMED.note(rate=float(nominal))]
    span = (timestamps[-1] - timestamps[0]) * time_base
    for likely in filter(None, (stream.guessed_rate, stream.average_rate)):
        if abs((len(timestamps) - 1) / Fraction(likely) - span) <= ROUNDING * time_base:
            return Fraction(likely), []
    return ((len(timestamps) - 1) / span).limit_denominator(MAX_DENOMINATOR), []


def _frames_before_gap(timestamps: list[int], last_dts: int | None) -> int:
    """Number of frames before the first one that a cut removed.

    Packets are not in display order: at the end of a cut file some frames are present whose neighbours are not. All of
    these are displayed after the decoding time of the last packet.
    """
    gaps = np.diff(timestamps)
    settled = np.array(timestamps[1:]) <= (timestamps[-1] if last_dts is None else last_dts)
    steady = not settled.any() or gaps[settled].max() <= UNEVEN * gaps[settled].min()
    if not len(gaps) or not steady:
        return len(timestamps)
    wide = ~settled & (gaps > UNEVEN * np.median(gaps))
    return int(np.argmax(wide)) + 1 if wide.any() else len(timestamps)
