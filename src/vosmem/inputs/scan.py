"""One look at all masks given for a video: which frame each belongs to, which objects it holds, what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8, UInt16

from vosmem.data.mask_files import ONE_BYTE, VOID, MaskFile
from vosmem.data.notes import Decision, Note
from vosmem.data.void import VoidRule
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks
from vosmem.inputs.wording import counted


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
        place_of = _matching(names, stems)
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

    def _record(self, t: int) -> None:
        stem = self._stem_at[t]
        mask, label = self._masks.read(stem), self._masks.label(stem)
        height, width = mask.ids.shape
        for remark in mask.notes:
            self._remark(label, remark)
        if (width, height) != self._frames.size:
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


def _matching(names: Sequence[str], stems: Sequence[str]) -> dict[str, int]:
    """The frame of each mask by name, or by number where all names are numbers and none is equal."""
    place_of = {name: place for place, name in enumerate(names)}
    found = {stem: place_of[stem] for stem in stems if stem in place_of}
    if not found and all(name.isascii() and name.isdigit() for name in (*names, *stems)):
        number_of = {int(name): place for name, place in place_of.items()}
        found = {stem: number_of[int(stem)] for stem in stems if int(stem) in number_of}
    return found
