"""Which frames a video file has, and when each is shown."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from vosmem.data.decoding.notes import Decision, Note
from vosmem.inputs.video_container import decoded, opened

UNEVEN = 1.5  # frames are unevenly spaced where the longest gap is this many times the shortest
# Of these codecs each packet is one frame. Others hide frames in packets, or pack two into one (XviD's B-frames).
FRAME_PER_PACKET = ("h264", "hevc", "vp9", "av1", "ffv1", "png", "gif", "libdav1d", "libaom-av1", "libvpx-vp9")
ROUNDING = 2  # steps of a container's clock by which the first and the last stamp may be off together
FASTEST = 1000  # frames a second; what is beyond is the container's clock rather than a rate
MOST_REORDERED = 2  # frames by which a guessed order is off
LARGEST_DENOMINATOR = 1001  # as in 30000/1001


class VideoIndex(NamedTuple):
    """The frames of a video file in order of display.

    Attributes:
        stamps: their time stamps in units of `time_base`, ascending; empty where the file has none.
        seekable: whether a frame can be found by its stamp; otherwise frames are counted from the start.
        keys: indices of key frames, where decoding can start.
        damaged: indices of frames whose data are known to be broken.
        num_present: frames whose data the file holds.
        num_frames: the same, and one more where the file was cut: the one that is missed.
        time_base: seconds that one step of a stamp is.
        rate: frames a second, on average; None where the file does not say.
        pixel_shape: width of a pixel over its height.
        promised_seconds: how long the file says it is; 0 where it does not say, or may speak of its sound.
        notes: what was decided while the file was read.
    """

    stamps: tuple[int, ...]
    seekable: bool
    keys: tuple[int, ...]
    damaged: frozenset[int]
    num_present: int
    num_frames: int
    time_base: Fraction
    rate: Fraction | None
    pixel_shape: Fraction
    promised_seconds: float
    notes: tuple[Note, ...]

    def from_frame(self, stamp: int | None) -> "VideoIndex":
        """Without the frames before the one of this stamp."""
        skipped = self.stamps.index(stamp) if self.seekable and stamp in self.stamps else 0
        return self._replace(
            stamps=self.stamps[skipped:],
            keys=tuple(key - skipped for key in self.keys if key >= skipped),
            damaged=frozenset(t - skipped for t in self.damaged if t >= skipped),
            num_present=self.num_present - skipped,
            num_frames=self.num_frames - skipped,
        )


class _Packet(NamedTuple):
    pts: int | None
    dts: int | None
    key: bool
    damaged: bool
    discarded: bool


class _Frames(NamedTuple):
    """What was found of a stream: stamps in order of display, and whether they end as the file says."""

    stamps: list[int]
    seekable: bool
    num_present: int
    whole: bool
    damaged: frozenset[int] = frozenset()
    notes: tuple[Note, ...] = ()


def read_index(path: Path) -> VideoIndex:
    """Read through a video file, and decode it only where packets do not say which frames come out.

    Raises:
        InputError: the file is missing, is no video, or has no video stream.
    """
    with opened(path) as (container, stream, others):
        packets, whole = _packets(container, stream)
        shown = [packet for packet in packets if not packet.discarded]
        whole &= _as_many_as_promised(stream, packets)
        if _says_all(container, stream, shown):
            found = _from_packets(shown, whole)
        else:
            found = _from_frames(path, whole)
        stamps = found.stamps[: found.num_present]
        keys = {packet.pts for packet in shown if packet.key} if found.seekable else set()
        time_base = stream.time_base or Fraction(1)
        rate, rate_notes = _rate(stream, stamps, time_base)
        return VideoIndex(
            stamps=tuple(stamps),
            seekable=found.seekable,
            keys=tuple(place for place, stamp in enumerate(stamps) if stamp in keys),
            damaged=found.damaged,
            num_present=found.num_present,
            num_frames=found.num_present + (not found.whole),
            time_base=time_base,
            rate=rate,
            pixel_shape=Fraction(stream.sample_aspect_ratio or 1),
            promised_seconds=(container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0,
            notes=(*_streams_left_out(stream, others), *found.notes, *rate_notes),
        )


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[list[_Packet], bool]:
    """The packets of a stream, and whether the container could be read to its end."""
    packets = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                packets.append(
                    _Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_corrupt, packet.is_discard)
                )
    except av.FFmpegError:
        return packets, False
    return packets, True


def _as_many_as_promised(stream: av.VideoStream, packets: Sequence[_Packet]) -> bool:
    """Whether the header counts no packet beyond the last one. AVI counts dropped frames, which are empty packets."""
    if stream.frames <= len(packets):
        return True
    last = max((packet.dts for packet in packets if packet.dts is not None), default=-1)
    rate = stream.average_rate
    empty = stream.time_base is not None and rate is not None and stream.time_base * rate == 1
    return empty and stream.frames <= last + 1


def _says_all(container: av.container.InputContainer, stream: av.VideoStream, shown: Sequence[_Packet]) -> bool:
    """Whether each packet is a frame that is shown at the packet's stamp."""
    one_each = stream.codec.name in FRAME_PER_PACKET or stream.codec.intra_only
    stamps = {packet.pts for packet in shown} - {None}
    in_order = all(None in (a.dts, b.dts) or a.dts < b.dts for a, b in pairwise(shown))  # type: ignore[operator]
    # AVI knows the order of decoding only.
    shown_when_told = not (container.format.name == "avi" and stream.codec_context.has_b_frames)
    # Where recordings are joined, the last packet of one is marked as damaged, and decodes nevertheless.
    joined = any(packet.damaged for packet in shown[:-1])
    return bool(shown) and one_each and in_order and shown_when_told and not joined and len(stamps) == len(shown)


def _from_packets(shown: Sequence[_Packet], whole: bool) -> _Frames:
    stamps = sorted(packet.pts for packet in shown if packet.pts is not None)
    whole &= not shown[-1].damaged
    num_present = _before_gap(stamps, shown[-1].dts, whole)
    damaged = frozenset(stamps.index(packet.pts) for packet in shown[-1:] if packet.damaged and packet.pts is not None)
    return _Frames(stamps, True, num_present, whole and num_present == len(shown), damaged)


def _from_frames(path: Path, whole: bool) -> _Frames:
    """Decode the whole stream to count its frames."""
    stamps: list[int | None] = []
    turns: list[int | None] = []
    damaged = set()
    with opened(path) as (container, stream, _):
        try:
            for frame in decoded(container, stream):
                stamps.append(frame.pts)
                turns.append(frame.dts)
                if frame.is_corrupt:
                    damaged.add(len(stamps) - 1)
        except av.FFmpegError:
            whole = False
    for times in (stamps, turns):
        known = [stamp for stamp in times if stamp is not None]
        if len(known) == len(times) and _all_but_ascending(known):
            seekable = times is stamps and known == sorted(known)
            return _Frames(sorted(known), seekable, len(stamps), whole, frozenset(damaged))
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < len(stamps):
        return _Frames([], False, len(stamps), whole, frozenset(damaged))
    back = [t for t, (before, after) in enumerate(pairwise(known), start=1) if after <= before]
    note = Decision.STAMPS_GO_BACK.note(t=back[0], more=f" and {len(back) - 1} more" if len(back) > 1 else "")
    return _Frames(_joined(known), False, len(stamps), whole, frozenset(damaged), (note,))


def _all_but_ascending(stamps: Sequence[int]) -> bool:
    """Whether the stamps are ascending, or were guessed by a container that knows the order of decoding only.

    Example:
        >>> _all_but_ascending([0, 2, 1, 3]), _all_but_ascending([0, 0, 1]), _all_but_ascending([5, 6, 7, 1, 2, 3])
        (True, False, False)
    """
    moved = np.abs(np.argsort(stamps, kind="stable") - np.arange(len(stamps)))
    return len(set(stamps)) == len(stamps) and int(moved.max(initial=0)) <= MOST_REORDERED


def _joined(stamps: Sequence[int]) -> list[int]:
    """Stamps that go on where those of the next recording go back, at the usual distance.

    Example:
        >>> _joined([10, 20, 30, 10, 20])
        [10, 20, 30, 40, 50]
    """
    gaps = np.diff(stamps)
    usual = int(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1
    return [int(at) for at in stamps[0] + np.concatenate([[0], np.cumsum(np.where(gaps > 0, gaps, usual))])]


def _rate(
    stream: av.VideoStream, stamps: Sequence[int], time_base: Fraction
) -> tuple[Fraction | None, tuple[Note, ...]]:
    """Frames a second by the stamps, or the rate that the file says where the stamps agree with it."""
    reported_rate = stream.average_rate or stream.guessed_rate or None
    nominal = Fraction(reported_rate) if reported_rate and reported_rate <= FASTEST else None
    if len(stamps) < 2:
        return nominal, () if stamps or nominal is None else (Decision.RATE_ASSUMED.note(rate=float(nominal)),)
    span = (stamps[-1] - stamps[0]) * time_base
    for likely in filter(None, (stream.guessed_rate, stream.average_rate)):
        if abs((len(stamps) - 1) / Fraction(likely) - span) <= ROUNDING * time_base:
            return Fraction(likely), ()
    return ((len(stamps) - 1) / span).limit_denominator(LARGEST_DENOMINATOR), ()


def _streams_left_out(stream: av.VideoStream, others: Sequence[av.VideoStream]) -> list[Note]:
    if not others:
        return []
    left = ", ".join(f"{other.index} ({other.width}x{other.height})" for other in others)
    return [Decision.STREAM_CHOSEN.note(stream=f"{stream.index} ({stream.width}x{stream.height})", others=left)]


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
