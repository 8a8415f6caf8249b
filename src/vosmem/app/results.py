"""The results of propagations in a video, and the files to download."""

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt16

from vosmem.data.decoding.mask_files import read_mask
from vosmem.errors import InputError
from vosmem.files import replacing
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.sequences.confidence import Check, ObjectConfidence, frames_to_check
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import id_type, ids_to_slots
from vosmem.segmentation.formats.frame_format import DEFAULT_RATE
from vosmem.segmentation.formats.registry import FORMATS, MASKS, with_needed
from vosmem.segmentation.formats.videos import Overlay
from vosmem.segmentation.frame_files import FrameFiles
from vosmem.segmentation.record import REPORT
from vosmem.segmentation.report import write_report
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE, write_tables
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import VideoWriter

ARCHIVE = "masks.zip"
OVERLAY = Overlay.paths[0]
DOWNLOADS = (ARCHIVE, OVERLAY, REPORT, OBJECTS_TABLE, CHECKS_TABLE, *(f"{name}.zip" for name in FORMATS))


class Results:
    """Masks on disk, and the network's confidence, of the frames that are done.

    Methods raise `InputError` if a frame cannot be read and `OSError` if a file cannot be written.
    """

    def __init__(self, folder: Path, frames: FrameSource):
        self.folder, self._frames = folder, frames
        self._rows: dict[int, list[ObjectConfidence]] = {}  # `slot` holds the object id, since slots change with masks
        self._memory_frames: dict[int, int] = {}
        self._done: set[int] = set()
        # A page reads masks while a job writes others, and Windows cannot replace a file that is being read.
        self._lock = Lock()

    @property
    def done(self) -> frozenset[int]:
        """Indices of the frames that have a mask."""
        return frozenset(self._done)

    def set_mask(self, t: int, ids: UInt16[np.ndarray, "H W"] | None) -> None:
        """Write the mask of frame t; None deletes the result of the frame."""
        with self._lock:
            if ids is None:
                self._path(t).unlink(missing_ok=True)
                self._done.discard(t)
                self._rows.pop(t, None)
            else:
                write_labels(self._path(t), ids.astype(id_type((int(ids.max()),))))
                self._done.add(t)
            for name in DOWNLOADS:  # outdated now
                (self.folder / name).unlink(missing_ok=True)

    def set_confidence(
        self, t: int, rows: list[ObjectConfidence], object_ids: tuple[int, ...], memory_frames: int
    ) -> None:
        """Store the confidence in frame t, a row per object; `object_ids` are those of the slots from 1 on."""
        self._rows[t] = [row._replace(slot=object_ids[row.slot - 1]) for row in rows]
        self._memory_frames[t] = memory_frames

    def ids(self, t: int) -> UInt16[np.ndarray, "H W"] | None:
        """The mask of frame t; None if the frame is not done."""
        with self._lock:
            return read_mask(self._path(t), max_objects=None).ids.astype(np.uint16) if t in self._done else None

    def rows(self) -> list[ObjectConfidence]:
        """Confidence per frame and object; `slot` holds the object id."""
        return [row for _, rows in sorted(self._rows.copy().items()) for row in rows]

    def checks(self) -> list[Check]:
        """Frames that a person should check; `slot` holds the object id."""
        return frames_to_check(self.rows())

    def write_archive(self) -> Path:
        """Write the masks as a zip."""
        path = self.folder / ARCHIVE
        if not path.exists():
            with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
                for t in sorted(self._done):
                    archive.write(self._path(t), f"{MASKS}/{self._path(t).name}")
        return path

    def write_overlay(self, video: UserVideo) -> Path:
        """Write a video of the masks over the frames."""
        path = self.folder / OVERLAY
        if not path.exists():
            with VideoWriter(path, video.rate or DEFAULT_RATE) as writer:
                for t in range(len(video)):
                    frame = np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy())
                    ids = self.ids(t)
                    writer.add(frame if ids is None else overlay(frame, ids_to_slots(ids, video.object_ids)))
        return path

    def write_format(self, video: UserVideo, name: str) -> Path:
        """Write the masks in a format of `FORMATS` as a zip; frames that are not done have no objects."""
        if name not in FORMATS:
            raise InputError(f"there is no format {name!r}: choose one of the list")
        path = self.folder / f"{name}.zip"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
                folder, formats = Path(temporary), with_needed((name,))
                with FrameFiles(folder, video, formats) as files:
                    for t in range(len(video)):
                        frame = np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy())
                        ids = self.ids(t)
                        ids = np.zeros(frame.shape[:2], np.uint16) if ids is None else ids
                        files.write(t, frame, ids_to_slots(ids, video.object_ids))
                with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                    for written in sorted(found for found in folder.rglob("*") if found.is_file()):
                        archive.write(written, written.relative_to(folder))
        return path

    def write_report(self, video: UserVideo, about: Mapping[str, Any]) -> Path:
        """Write the report and tables of `vosmem segment`; `about` is what the results were made with, as JSON."""
        path = self.folder / REPORT
        if not path.exists():
            self.write_overlay(video)
            slots = {object_id: slot for slot, object_id in enumerate(video.object_ids, start=1)}
            rows = [row._replace(slot=slots[row.slot]) for row in self.rows() if row.slot in slots]
            checks = frames_to_check(rows)
            memory_frames = [self._memory_frames.get(t, 0) for t in range(len(video))]
            write_tables(self.folder, video, rows, checks, memory_frames)
            write_report(path, video, rows, checks, about)
        return path

    def _path(self, t: int) -> Path:
        return self.folder / MASKS / f"{self._frames.frame_names[t]}.png"
