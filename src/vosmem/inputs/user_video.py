"""A user's video with the masks that select its objects."""

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
    """A video without ground truth, so that nothing is scored on the given masks.

    Args:
        name: of the video.
        frames: of the video; `rate` and `size` are those of the frames.
        scan: of its masks; `palette` has their colours, or is None for the DAVIS palette.
        first_only: whether to use only the first mask of each object. Needed for masks of a data set: given all of
            them, most of the result would be its own input.
        max_objects: the largest number of objects in all masks.
        absent: by frame index, the ids of objects that the user has marked as absent.
        notes: decisions made while finding the video; the attribute has all decisions.
        direction: of propagation: `forward`, `backward` or `both`.

    Raises:
        InputError: a mask cannot be used, no mask holds an object, or the masks hold too many objects.
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
        # What was left out may be the reason why no mask can be used.
        warnings = "; ".join(note for note in scan.notes if note.warns)
        suffix = f" ({warnings})" if warnings else ""
        if scan.errors:
            rest = len(scan.errors) - 1
            more = f" (and {counted(rest, 'more mask')} cannot be used)" if rest else ""
            raise InputError(scan.errors[0] + more + suffix)
        self.name, self._frames, self._scan = name, frames, scan
        self._absent = absent or {}
        self.frame_names: Sequence[str] = frames.frame_names
        self.rate, self.size, self.palette = frames.rate, frames.size, scan.palette
        self._given: dict[int, list[int]] = {}
        self._appearances: dict[int, int] = {}
        self.masks_used: list[str] = []
        for record in scan.records:
            used = [object_id for object_id in record.areas if not (first_only and object_id in self._appearances)]
            if used:
                self._given[record.t] = used
                self.masks_used.append(record.label)
            for object_id in used:
                self._appearances.setdefault(object_id, record.t)
        if not self._appearances:
            raise InputError(f"video {name!r}: no mask holds an object; give one to select the objects{suffix}")
        if len(self._appearances) > min(max_objects, MOST_OBJECTS):
            raise InputError(
                f"video {name!r}: its masks hold {len(self._appearances)} objects in all, more than "
                f"{min(max_objects, MOST_OBJECTS)}: raise --max-objects (up to {MOST_OBJECTS}), or clean them with "
                "--clean-masks"
            )
        self.wide_ids = id_type(self.object_ids) is np.uint16
        self.notes = [*notes, *frames.notes, *scan.notes, *self._find_notes(first_only, direction)]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self._frames.frame(t)

    def labels(self, t: int) -> None:
        """None: given masks are not ground truth."""

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask given at frame t, of the objects that are used; None at most frames."""
        if t not in self._given:
            return None
        ids = self._scan.ids(t)
        ids = np.where(np.isin(ids, self._given[t]), ids, np.uint16(0))
        return torch.from_numpy(ids_to_slots(ids, self.object_ids))

    def absent(self, t: int) -> tuple[int, ...]:
        """Slots of the objects that are marked as absent in frame t."""
        ids = self._absent.get(t, ())
        return tuple(slot for slot, object_id in enumerate(self.object_ids, start=1) if object_id in ids)

    def _find_notes(self, first_only: bool, direction: str) -> list[Note]:
        """Masks that are not used, and masks of the result that stay empty because of the direction."""
        notes, first, last = [], min(self._given), max(self._given)
        unused = len(self._scan.records) - len(self.masks_used)
        if unused and first_only:
            notes.append(Decision.MASKS_NOT_USED.note(masks=counted(unused, "more mask")))
        elif unused:
            notes.append(Decision.MASKS_EMPTY.note(masks=counted(unused, "mask")))
        after = len(self) - 1 - last
        if direction == "forward" and first:
            frames = counted(first, "frame")
            notes.append(Decision.EMPTY_BEFORE.note(name=self.frame_names[first], frames=frames))
        if direction == "backward" and after:
            frames = counted(after, "frame")
            notes.append(Decision.EMPTY_AFTER.note(name=self.frame_names[last], frames=frames))
        late = [str(object_id) for object_id, t in sorted(self._appearances.items()) if t > first]
        if direction == "forward" and late:
            notes.append(Decision.OBJECTS_LATE.note(objects=counted(len(late), "object"), numbers=listed(late)))
        return notes
