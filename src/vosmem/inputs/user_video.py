"""A user's video with the masks that say what to follow."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.videos import AppearingSequence
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.scan import MaskScan
from vosmem.inputs.wording import counted, listed
from vosmem.ops.masks import MOST_OBJECTS, id_type, ids_to_slots


class UserVideo(AppearingSequence):
    """A video that nobody has the truth of. What is given is given, and nothing is scored on it.

    Args:
        name: of the video.
        frames: its frames.
        scan: its masks.
        first_only: whether of a mask only the objects are used that no earlier mask holds. Ground truth that lies
            beside a video must be taken so, or most of the result is its own input.
        max_objects: more objects than this in all are taken for a mistake.
        absent: for frames of which somebody says that objects are nowhere in them, the ids of these.
        notes: what was decided while the video was found.
        direction: in which objects are followed: `forward`, `backward` or `both`.

    Attributes:
        rate: frames a second; None where nobody knows.
        size: width and height of the frames.
        palette: colours of the ids in the masks given; None for those of DAVIS.
        wide_ids: whether the ids need 16 bits, as `id_type` says, so that masks are written as 16-bit grey.
        masks_used: the masks of which something is used, as the user knows them.
        notes: what the user should know, a line each.

    Raises:
        InputError: a mask cannot be used, no mask holds an object, or all of them too many.
    """

    def __init__(
        self,
        name: str,
        frames: FrameSource,
        scan: MaskScan,
        first_only: bool = False,
        max_objects: int = MOST_OBJECTS,
        absent: Mapping[int, Collection[int]] | None = None,
        notes: Sequence[Note] = (),
        direction: str = "forward",
    ):
        if scan.errors:
            rest = len(scan.errors) - 1
            more = f" (and {counted(rest, 'more mask')} cannot be used)" if rest else ""
            raise InputError(scan.errors[0] + more + _beside(scan.notes))
        self.name, self._frames, self._scan, self._first_only = name, frames, scan, first_only
        self._absent, self._direction = absent or {}, direction
        self.frame_names: Sequence[str] = frames.frame_names
        self.rate, self.size, self.palette = frames.rate, frames.size, scan.palette
        self._given: dict[int, list[int]] = {}
        self._appearances: dict[int, int] = {}
        self.masks_used: list[str] = []
        for record in scan.records:
            used = [number for number in record.areas if not (first_only and number in self._appearances)]
            if used:
                self._given[record.t] = used
                self.masks_used.append(record.label)
            for number in used:
                self._appearances.setdefault(number, record.t)
        self._check(max_objects)
        self.wide_ids = id_type(self.object_ids) is np.uint16
        self.notes = [*notes, *frames.notes, *scan.notes, *self._remarks()]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t."""
        return self._frames.frame(t)

    def labels(self, t: int) -> None:
        """None: what the user gives is no truth to score with."""

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask given at frame t, of all objects in it that are used; None at most frames."""
        if t not in self._given:
            return None
        ids = self._scan.ids(t)
        ids = np.where(np.isin(ids, self._given[t]), ids, np.uint16(0))
        return torch.from_numpy(ids_to_slots(ids, self.object_ids))

    def absent(self, t: int) -> tuple[int, ...]:
        """Slots that are said to be nowhere in frame t."""
        gone = self._absent.get(t, ())
        return tuple(slot for slot, number in enumerate(self.object_ids, start=1) if number in gone)

    def _check(self, max_objects: int) -> None:
        most = min(max_objects, MOST_OBJECTS)
        beside = _beside(self._scan.notes)
        if not self._appearances:
            raise InputError(f"video {self.name!r}: no mask holds an object; give one to say what to follow{beside}")
        if len(self._appearances) > most:
            raise InputError(
                f"video {self.name!r}: its masks hold {len(self._appearances)} objects in all, more than {most}: raise "
                f"--max-objects (up to {MOST_OBJECTS}), or clean them with --clean-masks"
            )

    def _remarks(self) -> list[Note]:
        remarks = []
        unused = len(self._scan.records) - len(self.masks_used)
        if unused and self._first_only:
            remarks.append(Decision.MASKS_NOT_USED.note(masks=counted(unused, "more mask")))
        elif unused:
            remarks.append(Decision.MASKS_EMPTY.note(masks=counted(unused, "mask")))
        return remarks + self._empty_frames()

    def _empty_frames(self) -> list[Note]:
        """Which masks of the result stay empty because of the direction."""
        remarks, first, last = [], min(self._given), max(self._given)
        after = len(self) - 1 - last
        if first and self._direction == "forward":
            frames = counted(first, "frame")
            remarks.append(Decision.EMPTY_BEFORE.note(name=self.frame_names[first], frames=frames))
        if after and self._direction == "backward":
            frames = counted(after, "frame")
            remarks.append(Decision.EMPTY_AFTER.note(name=self.frame_names[last], frames=frames))
        late = [str(number) for number, t in sorted(self._appearances.items()) if t > first]
        if late and self._direction == "forward":
            remarks.append(Decision.OBJECTS_LATE.note(objects=counted(len(late), "object"), numbers=listed(late)))
        return remarks


def _beside(notes: Sequence[Note]) -> str:
    """What a message about unusable masks says of input that was left out, in brackets."""
    warnings = [note for note in notes if note.warns]
    return f" ({'; '.join(warnings)})" if warnings else ""
