"""What was found in a video so far, on disk, and what is made of it to take away."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt16

from vosmem.data.decoding.mask_files import read_mask
from vosmem.files import replacing
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.sequences.confidence import Check, ObjectConfidence, frames_to_check
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import id_type, ids_to_slots
from vosmem.segmentation.frame_files import DEFAULT_RATE, MASKS, OVERLAY
from vosmem.segmentation.record import REPORT
from vosmem.segmentation.report import write_report
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE, write_tables
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import VideoWriter

ARCHIVE = "masks.zip"
TABLES = (OBJECTS_TABLE, CHECKS_TABLE)


class Results:
    """Masks of the frames that are done, and how sure the network was of them.

    Args:
        folder: where they lie; it is made.
        frames: the video.
    """

    def __init__(self, folder: Path, frames: FrameSource):
        self.folder, self._frames = folder, frames
        self._rows: dict[int, list[ObjectConfidence]] = {}  # their slots are ids here, since slots change with masks
        self._memory_frames: dict[int, int] = {}
        self._done: set[int] = set()
        self._lock = Lock()  # a page reads masks while others are written; Windows replaces no file that is being read

    @property
    def done(self) -> frozenset[int]:
        """The frames that have a mask."""
        return frozenset(self._done)

    def put(self, t: int, ids: UInt16[np.ndarray, "H W"]) -> None:
        """Keep the mask of a frame.

        Raises:
            OSError: it could not be written.
        """
        with self._lock:
            write_labels(self._mask(t), ids.astype(id_type((int(ids.max()),))))
            self._done.add(t)
            self._outdate()

    def note(self, t: int, rows: list[ObjectConfidence], object_ids: tuple[int, ...], memory_frames: int) -> None:
        """Keep how sure the network was in a frame.

        Args:
            t: its place.
            rows: of each object that is followed there.
            object_ids: the ids of their slots.
            memory_frames: how many frames it was read from.
        """
        self._rows[t] = [row._replace(slot=object_ids[row.slot - 1]) for row in rows]
        self._memory_frames[t] = memory_frames

    def drop(self, t: int) -> None:
        """Forget a frame."""
        with self._lock:
            self._mask(t).unlink(missing_ok=True)
            self._done.discard(t)
            self._rows.pop(t, None)
            self._outdate()

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"] | None:
        """The mask of a frame; None where it is not done."""
        with self._lock:
            return read_mask(self._mask(t), max_objects=None).ids.astype(np.uint16) if t in self._done else None

    def rows(self) -> list[ObjectConfidence]:
        """Of each object and frame that is done; slots are ids."""
        return [row for _, rows in sorted(self._rows.copy().items()) for row in rows]

    def checks(self) -> list[Check]:
        """The frames that a person should look at; slots are ids."""
        return frames_to_check(self.rows())

    def write_archive(self) -> Path:
        """The masks as a zip.

        Raises:
            OSError: it could not be written.
        """
        path = self.folder / ARCHIVE
        if not path.exists():
            with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
                for t in sorted(self._done):
                    archive.write(self._mask(t), f"{MASKS}/{self._mask(t).name}")
        return path

    def write_overlay(self, video: UserVideo) -> Path:
        """The masks over the frames, as a video.

        Raises:
            InputError: a frame cannot be read.
            OSError: it could not be written.
        """
        path = self.folder / OVERLAY
        if not path.exists():
            with VideoWriter(path, video.rate or DEFAULT_RATE) as writer:
                for t in range(len(video)):
                    frame = np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy())
                    ids = self.ids(t)
                    writer.add(frame if ids is None else overlay(frame, ids_to_slots(ids, video.object_ids)))
        return path

    def write_report(self, video: UserVideo, about: Mapping[str, Any]) -> Path:
        """The page and the tables of `vosmem segment`; the overlay video is put into the page.

        Args:
            video: with the masks that are given.
            about: what the results were made of, as plain values.

        Raises:
            InputError: a frame cannot be read.
            OSError: something could not be written.
        """
        path = self.folder / REPORT
        if not path.exists():
            self.write_overlay(video)
            slots = {number: slot for slot, number in enumerate(video.object_ids, start=1)}
            rows = [row._replace(slot=slots[row.slot]) for row in self.rows() if row.slot in slots]
            checks = frames_to_check(rows)
            memory_frames = [self._memory_frames.get(t, 0) for t in range(len(video))]
            write_tables(self.folder, video, rows, checks, memory_frames)
            write_report(path, video, rows, checks, about)
        return path

    def _mask(self, t: int) -> Path:
        return self.folder / MASKS / f"{self._frames.frame_names[t]}.png"

    def _outdate(self) -> None:
        """What was made of older masks is made anew when it is asked for."""
        for name in (ARCHIVE, OVERLAY, REPORT, *TABLES):
            (self.folder / name).unlink(missing_ok=True)
