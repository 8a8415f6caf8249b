"""A video that is open, with the masks that were drawn in it and what was found."""

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

MOST_OBJECTS = 20  # that can be told apart on a page
GIVEN, RESULTS = "given", "results"


class Project:
    """A video, masks by frame, and results.

    Args:
        folder: where all of it lies.
        source: the video file, or the folder of its frames.
        limits: how large it may be.

    Attributes:
        frames: the video.
        drawn: the masks that are given.
        results: what was found.

    Raises:
        InputError: the video cannot be read, or is too large.
    """

    def __init__(self, folder: Path, source: Path, limits: Limits):
        self.folder = folder
        self._input = open_videos(source, None)[0]
        self.name = self._input.name
        self.frames: FrameSource = self._input.open_frames()
        self._mask_notes: list[Note] = []
        limits.check(self.frames)
        self.frame(0)  # says so at once if nothing can be read
        self.drawn, self.results = DrawnMasks(), Results(folder / RESULTS, self.frames)

    @property
    def notes(self) -> list[Note]:
        """What was decided about the video and the masks of files."""
        return [*self._input.notes, *self.frames.notes, *self._mask_notes]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects that have a given mask anywhere, ascending."""
        return tuple(sorted(set().union(*map(_objects, self.drawn.given.values()))))

    def place(self, t: int) -> int:
        """The place of a frame, if there is such a one.

        Raises:
            InputError: there is none.
        """
        if not 0 <= t < len(self.frames):
            raise InputError(f"there is no frame {t}: use 0 to {len(self.frames) - 1}")
        return t

    def frame(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """RGB bytes of a frame.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        return np.ascontiguousarray(self.frames.frame(self.place(t)).permute(1, 2, 0).numpy())

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"]:
        """What is known of a frame: what was found there, else what was drawn.

        Raises:
            InputError: there is no such frame.
        """
        found = self.results.ids(self.place(t))
        if found is not None:
            return found
        width, height = self.frames.size
        return self.drawn.given.get(t, np.zeros((height, width), np.uint16))

    def picture(self, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """A frame with what is known of it; the k-th object of `object_ids` has colour k.

        Raises:
            InputError: there is no such frame, or it cannot be read.
        """
        ids, known = self.ids(t), np.array([BACKGROUND, *self.object_ids], np.uint16)
        slots = np.searchsorted(known, ids).clip(max=len(known) - 1)
        return overlay(self.frame(t), np.where(known[slots] == ids, slots, 0).astype(np.uint8))

    def give(self, t: int, ids: UInt16[np.ndarray, "H W"], absent: Collection[int] = ()) -> None:
        """Give the mask of a frame, whole; one without objects forgets what was drawn and found there.

        Args:
            t: the frame's place.
            ids: the mask.
            absent: objects that are nowhere in the frame, which is more than that nothing is said of them.

        Raises:
            InputError: there is no such frame.
            OSError: the mask could not be written.
        """
        shown = self.results.ids(self.place(t))
        self.drawn.put(t, ids, frozenset(absent), shown)
        if shown is not None:
            self._show(t, self.drawn.given.get(t))

    def change(self, t: int, ids: UInt16[np.ndarray, "H W"]) -> None:
        """Give the mask of a frame as a change of what is shown: an object that is gone is nowhere in the frame.

        That holds for objects with a mask in another frame; one without is forgotten.

        Raises:
            InputError: there is no such frame.
            OSError: the mask could not be written.
        """
        gone = (_objects(self.ids(t)) | self.absent(t)) - _objects(ids)
        others = (mask for at, mask in self.drawn.given.items() if at != t)
        self.give(t, ids, gone & set().union(*map(_objects, others)))

    def absent(self, t: int) -> frozenset[int]:
        """The objects that are said to be nowhere in a frame."""
        return self.drawn.absent.get(t, frozenset())

    def undo(self) -> int | None:
        """Take the last change back; returns its frame, or None where there was none.

        Raises:
            OSError: the mask could not be written.
        """
        step = self.drawn.undo()
        if step is None:
            return None
        self._show(step.t, step.shown)
        return step.t

    def load_masks(self, path: Path, t: int) -> int:
        """Take masks from a file.

        Args:
            path: a picture, which is the mask of frame t, or a COCO or LabelMe file, whose masks go by their names.
            t: the frame's place.

        Returns:
            the first frame that got one.

        Raises:
            InputError: the file cannot be used.
            OSError: a mask could not be written.
        """
        start = None if path.suffix.lower() == ".json" else self.place(t)
        found = open_videos(self._input.frames, path, start=start, max_objects=MOST_OBJECTS)[0]
        scan = found.scan(self.frames)
        found.video(self.frames, scan)  # says what is wrong with the masks
        self._mask_notes = scan.notes
        for record in scan.records:
            self.give(record.t, scan.ids(record.t))
        return min(record.t for record in scan.records)

    def video(self) -> UserVideo:
        """The video with the masks that are given, which are written for it.

        Raises:
            InputError: there are none.
            OSError: a mask could not be written.
        """
        folder = self.folder / GIVEN
        shutil.rmtree(folder, ignore_errors=True)
        if not self.object_ids:
            raise InputError("no object is marked: draw one in any frame, then propagate")
        width = id_type(self.object_ids)
        for t, ids in self.drawn.given.items():
            if not ids.any():
                continue  # it says of objects that they are nowhere, which no picture does
            write_labels(folder / f"{self.frames.frame_names[t]}.png", ids.astype(width))
        found = open_videos(self._input.frames, folder, max_objects=MOST_OBJECTS)[0]
        return found.video(self.frames, found.scan(self.frames), self.drawn.absent)

    def _show(self, t: int, ids: UInt16[np.ndarray, "H W"] | None) -> None:
        if ids is None:
            self.results.drop(t)
        else:
            self.results.put(t, ids)


def _objects(ids: UInt16[np.ndarray, "H W"]) -> set[int]:
    return {int(number) for number in np.unique(ids)} - {BACKGROUND}
