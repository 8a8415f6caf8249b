"""One visitor's session, independent of the page."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt16

from vosmem.app.drawing import BACKGROUND, Number, Point, as_prompt, draw_stroke
from vosmem.app.project import MAX_OBJECTS, Project
from vosmem.app.propagation_job import Progress, PropagationJob
from vosmem.app.uploads import Limits, import_upload
from vosmem.errors import InputError
from vosmem.inference.sequences.directions import DIRECTIONS
from vosmem.inference.sequences.streaming import Segmenter

SECONDS_TO_END = 10.0  # a frame that takes longer is not waited for
SOURCE, SPILL = "source", "backward"
WriteExample = Callable[[Path], tuple[Path, UInt16[np.ndarray, "H W"]]]


class Session:
    """The actions of a visitor. All files are in the session's folder.

    Actions raise `InputError` for invalid arguments and if the session is busy (propagating, or making a file for
    download) or closed, and `OSError` if a file cannot be written. A page sends requests in threads of their own, so an
    action checks the state and changes it under one lock.

    Args:
        folder: of the session; created if needed.
        segmenter: the network.
        limits: of the session.
        short_side: largest short side of frames for the network; None keeps their size.
        cut: how a prompt becomes a mask, as in `make_first_mask`.
    """

    def __init__(
        self,
        folder: Path,
        segmenter: Segmenter,
        limits: Limits,
        short_side: int | None = None,
        cut: str = "network",
    ):
        self.folder, self.segmenter, self.limits, self.short_side = folder, segmenter, limits, short_side
        self._cut = cut
        self._project: Project | None = None
        self._job: PropagationJob | None = None
        self._lock = Lock()  # of the project, its masks, and the five attributes below
        self._making_file = Lock()  # files share the folder of given masks and the overlay video
        self._num_files = 0  # being made or waiting
        self._num_requested = self._open_request = 0  # number of videos requested, and the request of the open one
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether a video is open."""
        return self._project is not None

    @property
    def is_propagating(self) -> bool:
        """Whether a propagation is running."""
        job = self._job
        return job is not None and not job.has_ended

    @property
    def project(self) -> Project:
        """The open video; `InputError` if there is none."""
        project = self._project
        if project is None:
            raise InputError("no video is open: upload one, or choose an example")
        return project

    def open(self, paths: Sequence[Path]) -> None:
        """Open an upload instead of the current video, which stays open after an error."""
        with self._opening() as (folder, replace):
            replace(Project(folder, import_upload(paths, folder / SOURCE, self.limits), self.limits))

    def open_example(self, write: WriteExample) -> None:
        """Open an example with the mask of its first frame. `write` writes it into a folder."""
        with self._opening() as (folder, replace):
            source, mask = write(folder / SOURCE)
            project = Project(folder, source, self.limits)
            project.set_mask(0, mask)
            replace(project)

    def draw(self, t: int, object_id: int, points: Sequence[Point], radius: Number) -> None:
        """Draw a stroke as `draw_stroke` does; the whole mask of the frame counts as given from then on."""
        with self._changing() as project:
            project.edit_mask(t, draw_stroke(project.ids(t), self._checked_id(object_id, BACKGROUND), points, radius))

    def mark(self, t: int, object_id: int, box: Sequence[Any] | None, points: Sequence[Any]) -> None:
        """Replace the mask of an object by that of a prompt (as in `as_prompt`), or correct it at the points.

        A mask that was drawn, loaded or propagated is corrected, unless there is a box. The whole mask of the frame
        counts as given from then on.
        """
        with self._changing() as project:
            prompt = as_prompt(box, points, project.frame(t).shape[:2])
            project.mark(t, self._checked_id(object_id, 1), prompt, self.segmenter, self._cut)

    def rename(self, object_id: int, name: str) -> None:
        """Name an object on the page; the empty name removes its name."""
        with self._changing() as project:
            project.rename(self._checked_id(object_id, 1), name)

    def load_masks(self, path: Path, t: int) -> int:
        """Set masks from a file as `Project.load_masks` does."""
        with self._changing() as project:
            return project.load_masks(path, t)

    def clear(self, t: int) -> None:
        """Delete the given mask and the result of frame t."""
        with self._changing() as project:
            project.set_mask(t, np.zeros_like(project.ids(t)))

    def undo(self) -> int | None:
        """Undo the last change; returns its frame index, or None if there was no change."""
        with self._changing() as project:
            return project.undo()

    def propagate(self, direction: str, start: int | None = None) -> Iterator[Progress]:
        """Propagate the given masks, which stay as they are. Closing the iterator stops the propagation.

        With `start`, propagate only forward from that frame, whose current mask becomes given. Earlier frames stay.
        """
        if direction not in DIRECTIONS:
            raise InputError(f"direction {direction!r} is unknown: use {', '.join(DIRECTIONS)}")
        with self._changing() as project:
            if start is not None:
                direction = "forward"
                project.set_mask(start, project.ids(start), project.absent(start))
            video, spill = project.video(), project.folder / SPILL
            job = PropagationJob(video, project.results, self.segmenter, self.short_side, direction, start or 0, spill)
            self._job = job
        yield from job.run()

    def stop(self, wait: float = 0.0) -> None:
        """Stop the propagation, if one is running, and wait at most `wait` seconds for its end. Results are kept."""
        with self._lock:  # a propagation that is being started is stopped as well
            job = self._job
        if job is not None:
            job.stop()
            job.wait(wait)

    def masks_file(self) -> Path:
        """The masks as a zip; like the other files, `InputError` without results."""
        with self._file_from_results() as project:
            return project.results.write_archive()

    def overlay_file(self) -> Path:
        """The masks over the frames as an mp4."""
        with self._file_from_results() as project:
            return project.results.write_overlay(project.video())

    def format_file(self, name: str) -> Path:
        """The masks in a format of `vosmem segment --write` as a zip."""
        with self._file_from_results() as project:
            return project.results.write_format(project.video(), name)

    def report_file(self, about: Mapping[str, Any]) -> Path:
        """The report as an HTML page; `about` as in `Results.write_report`."""
        with self._file_from_results() as project:
            return project.results.write_report(project.video(), about)

    def close_if_idle(self) -> bool:
        """Close unless the session is busy; returns whether it was closed."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self.is_propagating or self._num_files:
                return False
            self._closed = True
        finally:
            self._lock.release()
        self.close()
        return True

    def close(self) -> None:
        """Stop the propagation and delete all files; every later action raises an error."""
        with self._lock:
            self._closed = True
        self.stop(SECONDS_TO_END)
        self._project = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _opening(self) -> Iterator[tuple[Path, Callable[[Project], None]]]:
        """A new folder for a project, and a function that replaces the open project; the folder is deleted on error.

        Making a project takes long, so the lock is not held meanwhile; the function checks what has changed.
        """
        with self._lock:
            self._check_idle()
            self._num_requested += 1
            request = self._num_requested
            folder = Path(tempfile.mkdtemp(prefix="video_", dir=self.folder))

        def replace(project: Project) -> None:
            with self._lock:
                self._check_idle()
                if request < self._open_request:
                    raise InputError("another video was opened meanwhile: open this one again if you want it")
                previous, self._project, self._open_request = self._project, project, request
            if previous is not None:
                shutil.rmtree(previous.folder, ignore_errors=True)

        try:
            yield folder, replace
        except BaseException:
            # Writing into the folder of a closed session has created that again.
            shutil.rmtree(self.folder if self._closed else folder, ignore_errors=True)
            raise

    @contextmanager
    def _changing(self) -> Iterator[Project]:
        """The open project, under the lock."""
        with self._lock:
            self._check_idle()
            yield self.project

    @contextmanager
    def _file_from_results(self) -> Iterator[Project]:
        """The open project, whose masks cannot change until the file is made."""
        with self._lock:
            self._check_idle(ignore_files=True)
            project = self.project
            if not project.results.done:
                raise InputError("there are no results yet: propagate first")
            self._num_files += 1
        try:
            with self._making_file:
                yield project
        finally:
            with self._lock:
                self._num_files -= 1

    def _check_idle(self, ignore_files: bool = False) -> None:
        """Raise an error if the session is closed or busy. The caller holds the lock."""
        if self._closed:
            raise InputError("this session has ended: reload the page")
        if self.is_propagating:
            raise InputError("a propagation is running: wait for it, or stop it")
        if self._num_files and not ignore_files:
            raise InputError("a file for download is being made: wait for it, then do this again")

    def _checked_id(self, object_id: int, lowest: int) -> int:
        if not lowest <= object_id <= max(MAX_OBJECTS, *self.project.object_ids, 0):
            raise InputError(f"there is no object {object_id}: use 1 to {MAX_OBJECTS}")
        return object_id
