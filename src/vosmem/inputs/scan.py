"""One look at all masks given for a video: which frame each belongs to, which objects it holds, what is wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16

from vosmem.data.decoding.mask_files import ONE_BYTE, VOID, MaskFile
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.void import VoidRule
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks
from vosmem.inputs.wording import counted

MOST_SQUEEZE = 0.02  # by which the shape of a mask may differ from that of its frame
MOST_DIGITS = 18
NO_NUMBER = -1


@dataclass(frozen=True)
class MaskRecord:
    """What one mask holds, at its frame's size.

    Attributes:
        t: its frame.
        label: what messages call it.
        kind: how ids stand in the file, as in `MaskFile`.
        size: width and height on disk.
        areas: pixels of every id.
    """

    t: int
    label: str
    kind: str
    size: tuple[int, int]
    areas: Mapping[int, int]


class MaskScan:
    """The masks of one video. Nothing is raised for a mask that cannot be used: it is named in `errors`.

    Args:
        frames: the video.
        masks: what was given for it.
        start: frame of the only mask, by number or by stem; by default the one with its stem, else the first.

    Attributes:
        records: of every mask that could be read, in order of the frames.
        errors: a line each.
        notes: what a user should know, a line each.
        palette: the colours of the ids, if a mask has any of its own.
    """

    def __init__(self, frames: FrameSource, masks: GivenMasks, start: int | str | None = None):
        self._frames, self._masks = frames, masks
        self.records: list[MaskRecord] = []
        self.errors: list[str] = []
        self.notes: list[Note] = list(masks.notes)
        self.palette: UInt8[np.ndarray, "256 3"] | None = None
        self._void = VoidRule()
        self._remarks: dict[Note, list[str]] = {}
        try:
            self._stem_at = self._placed(start)
        except InputError as error:
            self._stem_at = {}
            self.errors.append(str(error))
        for t in sorted(self._stem_at):
            try:
                self._record(t)
            except InputError as error:
                self.errors.append(str(error))
        for remark, labels in self._remarks.items():
            more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
            self.notes.append(remark.prefixed(f"mask {labels[0]!r}{more}: "))

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"]:
        """The mask of frame t, at the frame's size and without void.

        Raises:
            InputError: it cannot be read any more.
        """
        return self._fitted(self._masks.read(self._stem_at[t]))

    def _fitted(self, mask: MaskFile) -> UInt16[np.ndarray, "H W"]:
        width, height = self._frames.size
        return resized(self._void.ids(mask), height, width)

    def _placed(self, start: int | str | None) -> dict[int, str]:
        """The stem of the mask of each frame that has one."""
        names, stems = list(self._frames.frame_names), self._masks.stems
        if not stems:
            raise InputError(f"{self._masks.name!r} holds no masks: give at least one")
        if start is not None:
            if len(stems) > 1:
                raise InputError(
                    f"--start says where one mask belongs, but {len(stems)} are given: name them like frames"
                )
            return {frame_place(names, start): stems[0]}
        place_at = {name: place for place, name in enumerate(names)}
        place_of = {stem: place_at[stem] for stem in stems if stem in place_at}
        numbered = [] if place_of or self._called_like_the_video(stems) else stems
        by_number = _by_number(names, numbered)
        if by_number:
            place_of |= by_number
            stem, place = next(iter(by_number.items()))
            more = f", and so on for {len(by_number) - 1} more" if len(by_number) > 1 else ""
            label = self._masks.label(stem)
            if not all(name.isdigit() for name in (stem, names[place])):  # other zeros in front are no guess
                self.notes.append(Decision.MASK_BY_NUMBER.note(stem=stem, name=label, frame=names[place], more=more))
        if not place_of:
            if len(stems) == 1:
                self.notes.append(Decision.MASK_FOR_FIRST_FRAME.note(name=self._masks.label(stems[0])))
                return {0: stems[0]}
            raise InputError(
                f"none of the {len(stems)} masks in {self._masks.name!r} has a frame of its name "
                f"(mask {stems[0]!r}, frame {names[0]!r}): name masks like their frames"
            )
        lone = [stem for stem in stems if stem not in place_of]
        if lone:
            more = " ..." if len(lone) > 1 else ""
            self.notes.append(
                Decision.MASKS_WITHOUT_FRAME.note(masks=counted(len(lone), "mask"), names=repr(lone[0]) + more)
            )
        return {place: stem for stem, place in place_of.items()}

    def _called_like_the_video(self, stems: Sequence[str]) -> bool:
        """Whether the only mask has the name of its video, whose number is then that of no frame."""
        video = Path(self._frames.name)
        return len(stems) == 1 and stems[0] in (video.name, video.stem)

    def _record(self, t: int) -> None:
        stem = self._stem_at[t]
        mask, label = self._masks.read(stem), self._masks.label(stem)
        height, width = mask.ids.shape
        for remark in mask.notes:
            self._remark(label, remark)
        if (width, height) != self._frames.size:
            _check_shape(label, (width, height), self._frames.size)
            frame = f"{self._frames.size[0]}x{self._frames.size[1]}"
            self._remark(label, Decision.MASK_RESIZED.note(size=f"{width}x{height}", frame=frame))
        present = np.flatnonzero(np.bincount(mask.ids.ravel()))
        self._settle_void(mask, set(present.tolist()) - {0}, label)
        self.palette = mask.palette if self.palette is None or mask.kind == "other colours" else self.palette
        areas = np.bincount(self._fitted(mask).ravel())
        found = {int(number): int(areas[number]) for number in np.flatnonzero(areas) if number}
        lost = np.setdiff1d(present, [0, VOID, *found])
        if len(lost):
            self._remark(label, Decision.OBJECT_VANISHES.note(number=lost[0]))
        self.records.append(MaskRecord(t, label, mask.kind, (width, height), found))

    def _settle_void(self, mask: MaskFile, present: set[int], label: str) -> None:
        known = self._void.is_object is not None
        self._void.settle(mask, label)
        if mask.kind not in ONE_BYTE or VOID not in present:
            return
        if not self._void.is_object:
            self._remark(label, Decision.VOID_OF_255.note())
        elif not known:
            self._remark(label, Decision.OBJECT_OF_255.note())

    def _remark(self, label: str, remark: Note) -> None:
        self._remarks.setdefault(remark, []).append(label)


def frame_place(names: Sequence[str], start: int | str) -> int:
    """The place of a frame that a user names by its number, from 0 up, or by its stem.

    Raises:
        InputError: there is no such frame.
    """
    if start in names:
        return list(names).index(str(start))
    if (isinstance(start, int) or (start.isascii() and start.isdigit())) and 0 <= int(start) < len(names):
        return int(start)
    raise InputError(f"--start {start}: no such frame; use 0 to {len(names) - 1}, or a stem such as {names[0]!r}")


def resized(ids: UInt16[np.ndarray, "H W"], height: int, width: int) -> UInt16[np.ndarray, "H2 W2"]:
    """Another size by nearest neighbour, so that no new ids come up.

    Example:
        >>> resized(np.array([[1, 2]], np.uint16), 2, 4).tolist()
        [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    if ids.shape == (height, width):
        return ids
    rows, columns = (
        ((np.arange(after) + 0.5) * before / after).astype(int)
        for before, after in zip(ids.shape, (height, width), strict=True)
    )
    return ids[rows[:, None], columns]


def _check_shape(label: str, mask: tuple[int, int], frame: tuple[int, int]) -> None:
    """Refuse a mask that could only be squeezed to its frame.

    Raises:
        InputError: the mask has another shape than the frame, or fits only when it is turned.
    """
    if _alike(mask, frame):
        return
    sizes = f"mask {label!r} is {mask[0]}x{mask[1]} and its frame {frame[0]}x{frame[1]}"
    if _alike(mask, frame[::-1]):
        raise InputError(
            f"{sizes}, so that it fits only when turned: turn the mask, or the frames where EXIF asks viewers to turn "
            "them (frames are taken as they are stored)"
        )
    raise InputError(f"{sizes}, which is another shape: give a mask of the frame's size")


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have one shape, but for 2 % or a pixel of rounding."""
    across, down = one[0] * other[1], one[1] * other[0]
    return abs(across - down) <= max(MOST_SQUEEZE * max(across, down), *other)


def _by_number(names: Sequence[str], stems: Sequence[str]) -> dict[str, int]:
    """The frame of each mask by the number at the end of both names.

    Args:
        names: of the frames.
        stems: of the masks, none of which has a frame of its name.

    Raises:
        InputError: a number is that of no frame, of several frames or of several masks.
    """
    place_of: dict[int, list[int]] = {}
    for place, name in enumerate(names):
        place_of.setdefault(_number(name), []).append(place)
    place_of.pop(NO_NUMBER, None)
    found: dict[str, int] = {}
    taken: set[int] = set()
    for stem in stems:
        number = _number(stem)
        if number == NO_NUMBER:
            continue
        places = place_of.get(number, [])
        if len(places) != 1 or places[0] in taken:
            reason = "several frames" if len(places) > 1 else "several masks" if places else "no frame"
            raise InputError(
                f"mask {stem!r} has the number {number}, which is that of {reason} ({names[0]!r} to {names[-1]!r}): "
                "name masks like their frames, or say with --start where a lone mask belongs"
            )
        found[stem] = places[0]
        taken.add(places[0])
    return found


def _number(name: str) -> int:
    """The number at the end of a name, or its only number.

    Example:
        >>> _number("clip2_0004"), _number("0004_mask"), _number("mask") == NO_NUMBER
        (4, 4, True)
    """
    groups = re.findall(r"[0-9]+", name)
    at_end = re.search(r"[0-9]+$", name)
    if at_end is None and len(groups) != 1:
        return NO_NUMBER
    digits = groups[-1]
    return int(digits) if len(digits) <= MOST_DIGITS else NO_NUMBER
