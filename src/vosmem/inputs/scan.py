"""Read all masks of a video once: the frame of each, its objects, and its errors."""

import re
import unicodedata
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

ASPECT_TOLERANCE = 0.02  # relative difference between the aspect ratios of a mask and its frame
MAX_DIGITS = 18
TRIMAP = {128, 255}  # unknown, and object


@dataclass(frozen=True)
class MaskRecord:
    """The content of one mask."""

    t: int  # frame index
    label: str  # name in messages
    kind: str  # how the file stores ids, as in `MaskFile`
    size: tuple[int, int]  # width and height on disk
    areas: Mapping[int, int]  # pixels of each object id at the frame's size


class MaskScan:
    """The masks of one video. A mask that cannot be used raises nothing; its message is in `errors`.

    `start` is the frame of the only mask, by frame number or stem; by default the frame with its name, else the first.
    """

    def __init__(self, frames: FrameSource, masks: GivenMasks, start: int | str | None = None):
        self._frames, self._masks = frames, masks
        self.records: list[MaskRecord] = []
        self.errors: list[str] = []
        self.notes: list[Note] = list(masks.notes)
        self.palette: UInt8[np.ndarray, "256 3"] | None = None
        self._void = VoidRule()
        self._only_value: dict[int, str] = {}  # by the only value of a mask, 1 or 255, the first mask's name
        self._labels_by_note: dict[Note, list[str]] = {}
        try:
            self._stem_at = self._match_frames(start)
        except InputError as error:
            self._stem_at = {}
            self.errors.append(str(error))
        for t in sorted(self._stem_at):
            try:
                self._record(t)
            except InputError as error:
                self.errors.append(str(error))
        for note, labels in self._labels_by_note.items():
            more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
            self.notes.append(note.prefixed(f"mask {labels[0]!r}{more}: "))

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"]:
        """Read the mask of frame t, at the frame's size and without void."""
        return self._fit(self._masks.read(self._stem_at[t]))

    def _fit(self, mask: MaskFile) -> UInt16[np.ndarray, "H W"]:
        width, height = self._frames.size
        return resized(self._void.ids(mask), height, width)

    def _match_frames(self, start: int | str | None) -> dict[int, str]:
        """The stem of the mask of each frame that has one."""
        names, stems = list(self._frames.frame_names), self._masks.stems
        if not stems:
            raise InputError(f"{self._masks.name!r} holds no masks: give at least one")
        if start is not None:
            if len(stems) > 1:
                raise InputError(
                    f"--start is the frame of a single mask, but {len(stems)} are given: name them like frames"
                )
            return {find_frame(names, start, self._frames.indices): stems[0]}
        index_of_name = {_composed(name): t for t, name in enumerate(names)}
        index_of = {stem: index_of_name[_composed(stem)] for stem in stems if _composed(stem) in index_of_name}
        # The number in a video's own name is no frame number.
        has_name_of_video = len(stems) == 1 and stems[0] in (Path(self._frames.name).name, Path(self._frames.name).stem)
        if not index_of and not has_name_of_video:
            index_of = self._match_numbers(names)
        if not index_of:
            if len(stems) == 1:
                self.notes.append(Decision.MASK_FOR_FIRST_FRAME.note(name=self._masks.label(stems[0])))
                return {0: stems[0]}
            raise InputError(
                f"none of the {len(stems)} masks in {self._masks.name!r} has a frame of its name "
                f"(mask {stems[0]!r}, frame {names[0]!r}): name masks like their frames"
            )
        unmatched = [stem for stem in stems if stem not in index_of]
        if unmatched:
            shown = repr(unmatched[0]) + (" ..." if len(unmatched) > 1 else "")
            self.notes.append(Decision.MASKS_WITHOUT_FRAME.note(masks=counted(len(unmatched), "mask"), names=shown))
        return {t: stem for stem, t in index_of.items()}

    def _match_numbers(self, names: Sequence[str]) -> dict[str, int]:
        """The frame index of each mask by the number at the end of both names; no mask has the name of a frame."""
        frames_of: dict[int | None, list[int]] = {}
        for t, name in enumerate(names):
            frames_of.setdefault(_number(name), []).append(t)
        index_of: dict[str, int] = {}
        for stem in self._masks.stems:
            number = _mask_number(stem)
            if number is None and re.search(r"[0-9]", stem):
                raise InputError(
                    f"mask {stem!r} has numbers of which none is clearly its frame's: name masks like their frames "
                    f"({names[0]!r} to {names[-1]!r}), or give the frame of a single mask with --start"
                )
            if number is None:
                continue
            matches = frames_of.get(number, [])
            if len(matches) != 1 or matches[0] in index_of.values():
                reason = "several frames" if len(matches) > 1 else "several masks" if matches else "no frame"
                raise InputError(
                    f"mask {stem!r} has the number {number}, which is that of {reason} ({names[0]!r} to "
                    f"{names[-1]!r}): name masks like their frames, or give the frame of a single mask with --start"
                )
            index_of[stem] = matches[0]
        if index_of:
            stem, t = next(iter(index_of.items()))
            if not (stem.isdigit() and names[t].isdigit()):  # a different number of leading zeros is no guess
                more = f", and so on for {len(index_of) - 1} more" if len(index_of) > 1 else ""
                name = self._masks.label(stem)
                self.notes.append(Decision.MASK_BY_NUMBER.note(stem=stem, name=name, frame=names[t], more=more))
        return index_of

    def _record(self, t: int) -> None:
        stem = self._stem_at[t]
        mask, label = self._masks.read(stem), self._masks.label(stem)
        height, width = mask.ids.shape
        for note in mask.notes:
            self._note(label, note)
        if (width, height) != self._frames.size:
            _check_aspect(label, (width, height), self._frames.size)
            frame = f"{self._frames.size[0]}x{self._frames.size[1]}"
            self._note(label, Decision.MASK_RESIZED.note(size=f"{width}x{height}", frame=frame))
        present = np.flatnonzero(np.bincount(mask.ids.ravel()))
        self._settle_void(mask, VOID in present, label)
        if 0 not in present:
            self._note(label, Decision.NO_BACKGROUND.note())
        self.palette = mask.palette if self.palette is None or mask.kind == "other colours" else self.palette
        areas = np.bincount(self._fit(mask).ravel())
        areas_by_id = {int(object_id): int(areas[object_id]) for object_id in np.flatnonzero(areas) if object_id}
        lost = np.setdiff1d(present, [0, VOID, *areas_by_id])
        if len(lost):
            self._note(label, Decision.OBJECT_VANISHES.note(number=lost[0]))
        self.records.append(MaskRecord(t, label, mask.kind, (width, height), areas_by_id))

    def _settle_void(self, mask: MaskFile, has_void: bool, label: str) -> None:
        known = self._void.is_object is not None
        self._void.settle(mask, label)
        values = frozenset(np.unique(mask.ids).tolist()) - {0}
        if values == TRIMAP:
            raise InputError(
                f"mask {label!r} holds 128 and 255, as a trimap does: save the object as 1, or two objects as 1 and 2"
            )
        if mask.kind in (*ONE_BYTE, "one-bit") and values in ({1}, {VOID}):
            self._only_value.setdefault(min(values), label)
        if len(self._only_value) > 1:
            raise InputError(
                f"one object is 1 in mask {self._only_value[1]!r} and 255 in mask {self._only_value[VOID]!r}: save "
                "both with one number"
            )
        if mask.kind not in ONE_BYTE or not has_void:
            return
        if not self._void.is_object:
            self._note(label, Decision.VOID_OF_255.note())
        elif not known:
            self._note(label, Decision.OBJECT_OF_255.note())

    def _note(self, label: str, note: Note) -> None:
        self._labels_by_note.setdefault(note, []).append(label)


def find_frame(names: Sequence[str], start: int | str, indices: Sequence[int]) -> int:
    """The index of the frame with a stem or, if there is none, with an index in the whole video; else `InputError`."""
    if start in names:
        return list(names).index(str(start))
    if (isinstance(start, int) or (start.isascii() and start.isdigit())) and int(start) in indices:
        return indices.index(int(start))
    raise InputError(
        f"--start {start}: no such frame; use {indices[0]} to {indices[-1]}, or a stem such as {names[0]!r}"
    )


def resized(ids: UInt16[np.ndarray, "H W"], height: int, width: int) -> UInt16[np.ndarray, "H2 W2"]:
    """Resize by nearest neighbour, which creates no new ids.

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


def _check_aspect(label: str, mask: tuple[int, int], frame: tuple[int, int]) -> None:
    """Refuse a mask that would be distorted, or has to be turned, to fit its frame."""
    if _same_aspect(mask, frame):
        return
    sizes = f"mask {label!r} is {mask[0]}x{mask[1]} and its frame {frame[0]}x{frame[1]}"
    if _same_aspect(mask, frame[::-1]):
        raise InputError(
            f"{sizes}, so that it fits only when turned: turn the mask, or images whose EXIF asks viewers to turn them "
            "(images are taken as stored, videos as players show them)"
        )
    raise InputError(f"{sizes}, which is another shape: give a mask of the frame's size")


def _same_aspect(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have one aspect ratio, up to the tolerance or one pixel of rounding."""
    across, down = one[0] * other[1], one[1] * other[0]
    return abs(across - down) <= max(ASPECT_TOLERANCE * max(across, down), *other)


def _composed(name: str) -> str:
    """A name with composed accents; macOS stores them decomposed."""
    return unicodedata.normalize("NFC", name)


def _number(name: str) -> int | None:
    """The number at the end of a name, or its only number.

    Example:
        >>> _number("clip2_0004"), _number("0004_mask"), _number("mask")
        (4, 4, None)
    """
    numbers = re.findall(r"[0-9]+", name)
    if not numbers or (len(numbers) > 1 and not name.endswith(numbers[-1])) or len(numbers[-1]) > MAX_DIGITS:
        return None
    return int(numbers[-1])


def _mask_number(name: str) -> int | None:
    """The number of a mask's frame: the only one with leading zeros, otherwise as `_number`.

    Example:
        >>> _mask_number("clip2_0004_mask"), _mask_number("0004_1"), _mask_number("clip2_4"), _mask_number("2_4_a")
        (4, 4, 4, None)
    """
    padded = re.findall(r"(?<![0-9])0[0-9]+", name)
    return _number(padded[0] if len(padded) == 1 else name)
