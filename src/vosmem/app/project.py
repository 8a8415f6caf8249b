"""An open video with its drawn masks and results."""

import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16

from vosmem.app.drawing import BACKGROUND, DrawnMasks
from vosmem.app.results import Results
from vosmem.app.uploads import Limits
from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.open import open_videos
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import id_type
from vosmem.visualization.overlay import overlay

MAX_OBJECTS = 20  # that can be distinguished on a page
GIVEN, RESULTS = "given", "results"


class Project:
    """A video of `source` (a file or a folder of frames), its given masks and its results, all in `folder`.

    Methods raise `InputError` if there is no frame t or a file cannot be used, `OSError` if a mask cannot be written.
    """

    def __init__(self, folder: Path, source: Path, limits: Limits):
        self.folder = folder
        self._input = open_videos(source, None)[0]
        self.name = self._input.name
        self.frames: FrameSource = self._input.open_frames()
        self._mask_notes: list[Note] = []
        limits.check(self.frames)
        self.frame(0)  # raises an error if no frame can be read
        self.drawn, self.results = DrawnMasks(), Results(folder / RESULTS, self.frames)

    @property
    def notes(self) -> list[Note]:
        """Decisions about the video and about masks from files."""
        return [*self._input.notes, *self.frames.notes, *self._mask_notes]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects in any given mask, ascending."""
        return tuple(sorted(set().union(*map(_object_ids, self.drawn.given.values()))))

    def check_index(self, t: int) -> int:
        """Return t if it is a frame index, else raise `InputError`."""
        if not 0 <= t < len(self.frames):
            raise InputError(f"there is no frame {t}: use 0 to {len(self.frames) - 1}")
        return t

    def frame(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """RGB bytes of frame t."""
        return np.ascontiguousarray(self.frames.frame(self.check_index(t)).permute(1, 2, 0).numpy())

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"]:
        """The mask of frame t: that of the results, else the given one, else background."""
        result = self.results.ids(self.check_index(t))
        if result is not None:
            return result
        width, height = self.frames.size
        return self.drawn.given.get(t, np.zeros((height, width), np.uint16))

    def picture(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """Frame t with its mask; the k-th object of `object_ids` has colour k."""
        ids, known = self.ids(t), np.array([BACKGROUND, *self.object_ids], np.uint16)
        slots = np.searchsorted(known, ids).clip(max=len(known) - 1)
        return overlay(self.frame(t), np.where(known[slots] == ids, slots, 0).astype(np.uint8))

    def set_mask(self, t: int, ids: UInt16[np.ndarray, "H W"], absent: Collection[int] = ()) -> None:
        """Set the whole mask of frame t. A mask without objects deletes the frame's given mask and result.

        `absent` are ids of objects that are not in the frame; about other objects the mask says nothing.
        """
        result = self.results.ids(self.check_index(t))
        self.drawn.set_mask(t, ids, frozenset(absent), result)
        if result is not None:
            self.results.set_mask(t, self.drawn.given.get(t))

    def edit_mask(self, t: int, ids: UInt16[np.ndarray, "H W"]) -> None:
        """Set an edited mask of frame t. An erased object is absent there if another frame has a mask of it."""
        erased = (_object_ids(self.ids(t)) | self.absent(t)) - _object_ids(ids)
        others = (mask for frame, mask in self.drawn.given.items() if frame != t)
        self.set_mask(t, ids, erased & set().union(*map(_object_ids, others)))

    def absent(self, t: int) -> frozenset[int]:
        """Ids of the objects that are marked as absent in frame t."""
        return self.drawn.absent.get(t, frozenset())

    def undo(self) -> int | None:
        """Undo the last change; returns its frame index, or None if there was no change."""
        step = self.drawn.undo()
        if step is None:
            return None
        self.results.set_mask(step.t, step.result)
        return step.t

    def load_masks(self, path: Path, t: int) -> int:
        """Set masks from a picture, for frame t, or from a COCO or LabelMe file, for the frames that it names.

        Returns the index of the first frame whose mask was set.
        """
        start = None if path.suffix.lower() == ".json" else self.check_index(t)
        video = open_videos(self._input.frames, path, start=start, max_objects=MAX_OBJECTS)[0]
        scan = video.scan(self.frames)
        video.video(self.frames, scan)  # raises the errors of the masks
        self._mask_notes = scan.notes
        for record in scan.records:
            self.set_mask(record.t, scan.ids(record.t))
        return min(record.t for record in scan.records)

    def video(self) -> UserVideo:
        """The video with its given masks, which are written to a folder. `InputError` if there are none."""
        folder = self.folder / GIVEN
        shutil.rmtree(folder, ignore_errors=True)
        if not self.object_ids:
            raise InputError("no object is marked: draw one in any frame, then propagate")
        dtype = id_type(self.object_ids)
        for t, ids in self.drawn.given.items():
            if ids.any():  # a mask without objects only marks objects as absent
                write_labels(folder / f"{self.frames.frame_names[t]}.png", ids.astype(dtype))
        video = open_videos(self._input.frames, folder, max_objects=MAX_OBJECTS)[0]
        return video.video(self.frames, video.scan(self.frames), self.drawn.absent)


def _object_ids(ids: UInt16[np.ndarray, "H W"]) -> set[int]:
    return set(np.unique(ids).tolist()) - {BACKGROUND}
