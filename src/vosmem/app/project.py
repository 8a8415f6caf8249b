"""An open video with its drawn masks and results."""

import shutil
from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16

from vosmem.app.drawing import BACKGROUND, NONE, DrawnMasks, Prompted, PromptedObject
from vosmem.app.results import Results
from vosmem.app.uploads import Limits, unpack
from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.prompts.first_mask import correct_mask, make_first_mask
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.mask_source import MASK_SUFFIXES, open_masks
from vosmem.inputs.open import open_videos
from vosmem.inputs.prompts import Prompt
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import id_type
from vosmem.visualization.overlay import overlay

MAX_OBJECTS = 20  # that can be distinguished on a page
MAX_NAME = 40  # characters
THUMBNAIL_WIDTH = 120
GIVEN, RESULTS, MASKS = "given", "results", "masks"
SINGLE = {*MASK_SUFFIXES} - {".json", ".xml"}  # files without the names of frames


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
        self._limits = limits
        limits.check(self.frames)
        self.frame(0)  # raises an error if no frame can be read
        self.drawn, self.results = DrawnMasks(), Results(folder / RESULTS, self.frames)
        self.names: dict[int, str] = {}  # of objects, by id
        self._thumbnails: dict[int, UInt8[np.ndarray, "h w 3"]] = {}

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
        return self._tinted(self.frame(t), self.ids(t))

    def thumbnail(self, t: int) -> UInt8[np.ndarray, "h w 3"]:
        """A small copy of `picture`. Its frame is decoded once, since a seek in a video takes long."""
        if t not in self._thumbnails:
            frame = self.frame(t)
            size = THUMBNAIL_WIDTH, max(1, round(THUMBNAIL_WIDTH * frame.shape[0] / frame.shape[1]))
            self._thumbnails[t] = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        small = self._thumbnails[t]
        return self._tinted(small, cv2.resize(self.ids(t), small.shape[1::-1], interpolation=cv2.INTER_NEAREST))

    def rename(self, object_id: int, name: str) -> None:
        """Name an object on the page; the empty name removes its name."""
        kept = {number: text for number, text in self.names.items() if number != object_id}
        name = " ".join(name.split())[:MAX_NAME]
        self.names = {**kept, object_id: name} if name else kept

    def _tinted(self, frame: UInt8[np.ndarray, "H W 3"], ids: UInt16[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
        known = np.array([BACKGROUND, *self.object_ids], np.uint16)
        slots = np.searchsorted(known, ids).clip(max=len(known) - 1)
        return overlay(frame, np.where(known[slots] == ids, slots, 0).astype(np.uint8))

    def set_mask(
        self, t: int, ids: UInt16[np.ndarray, "H W"], absent: Collection[int] = (), prompted: Prompted = NONE
    ) -> None:
        """Set the whole mask of frame t. A mask without objects deletes the frame's given mask and result.

        `absent` are ids of objects that are not in the frame; about other objects the mask says nothing. `prompted` are
        the objects whose masks are of prompts.
        """
        result = self.results.ids(self.check_index(t))
        self.drawn.set_mask(t, ids, frozenset(absent), result, prompted)
        if result is not None:
            self.results.set_mask(t, self.drawn.given.get(t))

    def mark(self, t: int, object_id: int, prompt: Prompt, segmenter: Segmenter, cut: str) -> None:
        """Make the mask of an object in frame t as `Session.mark` does."""
        ids, frame, prompted = self.ids(t), self.frame(t), self.drawn.prompted.get(t, NONE)
        before = prompted[object_id].base if object_id in prompted else ids == object_id
        quality = None
        if prompt.box is None and before is not None and before.any():
            mask = correct_mask(frame, before, prompt, segmenter.engine, cut)
        else:
            before = None
            first = make_first_mask(frame, [prompt], segmenter.engine, cut)
            mask, quality = first.ids > 0, first.quality[0]
        others = np.where(ids == object_id, np.uint16(BACKGROUND), ids)
        made = {**prompted, object_id: PromptedObject(prompt, before, quality)}
        self.edit_mask(t, np.where(mask, np.uint16(object_id), others), made)

    def edit_mask(self, t: int, ids: UInt16[np.ndarray, "H W"], prompted: Prompted = NONE) -> None:
        """Set an edited mask of frame t. An erased object is absent there if another frame has a mask of it."""
        erased = (_object_ids(self.ids(t)) | self.absent(t)) - _object_ids(ids)
        others = (mask for frame, mask in self.drawn.given.items() if frame != t)
        self.set_mask(t, ids, erased & set().union(*map(_object_ids, others)), prompted)

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
        """Set masks from a file: a single mask for frame t; several, or annotations, for the frames that they name.

        Returns the index of the first frame whose mask was set.
        """
        if path.suffix.lower() == ".zip":
            shutil.rmtree(self.folder / MASKS, ignore_errors=True)
            path = unpack(path, self.folder / MASKS, self._limits, MASK_SUFFIXES)
        is_single = path.suffix.lower() in SINGLE and len(open_masks(path, self.frames, MAX_OBJECTS, False).stems) == 1
        start = self.check_index(t) if is_single else None
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
