"""One visitor's work, step by step. Knows nothing of pages."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt16

from vosmem.app.drawing import BACKGROUND, Number, Point, boxed, brushed
from vosmem.app.project import MOST_OBJECTS, Project
from vosmem.app.propagation_job import Progress, PropagationJob
from vosmem.app.uploads import Limits, take_in
from vosmem.errors import InputError
from vosmem.inference.sequences.directions import DIRECTIONS
from vosmem.inference.sequences.streaming import Segmenter

SECONDS_TO_END = 10.0  # that a frame may take before nobody waits for it any more
SOURCE, SPILL = "source", "backward"
WriteExample = Callable[[Path], tuple[Path, UInt16[np.ndarray, "H W"]]]


class Session:
    """What a visitor does. A folder holds everything; nothing is written outside.

    While a propagation is under way or a file to take away is being made, nothing can be drawn or opened. A page sends
    requests in threads of their own, so a step checks that and changes something under one lock.

    Args:
        folder: of this visitor; it is made.
        segmenter: the network.
        limits: how much may be asked for.
        short_side: the frames' short side for the network, at most; None keeps theirs.
    """

    def __init__(self, folder: Path, segmenter: Segmenter, limits: Limits, short_side: int | None = None):
        self.folder, self.segmenter, self.limits, self.short_side = folder, segmenter, limits, short_side
        self._project: Project | None = None
        self._work: PropagationJob | None = None
        self._lock = Lock()  # of the video that is open, its masks, and the five attributes below
        self._making_files = Lock()  # one after the other: they share the given masks and the overlay video
        self._num_files = 0  # that are being made, or wait for it
        self._num_asked = self._num_open = 0  # videos asked for so far, and the number of the one that is open
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether there is a video."""
        return self._project is not None

    @property
    def is_working(self) -> bool:
        """Whether a propagation is under way."""
        work = self._work
        return work is not None and not work.is_over

    @property
    def project(self) -> Project:
        """The video that is open.

        Raises:
            InputError: none is.
        """
        project = self._project
        if project is None:
            raise InputError("no video is open: upload one, or choose an example")
        return project

    def open(self, paths: Sequence[Path]) -> None:
        """Open what was uploaded, in the place of the video before.

        Raises:
            InputError: it cannot be used; the video before stays open.
            OSError: it could not be written.
        """
        with self._opening() as (folder, put):
            put(Project(folder, take_in(paths, folder / SOURCE, self.limits), self.limits))

    def open_example(self, write: WriteExample) -> None:
        """Open a video that is made here, with the mask of its first frame.

        Args:
            write: writes it into a folder; returns where, and the mask.

        Raises:
            InputError: a propagation is under way, or another video was opened meanwhile.
            OSError: it could not be written.
        """
        with self._opening() as (folder, put):
            source, mask = write(folder / SOURCE)
            project = Project(folder, source, self.limits)
            project.give(0, mask)
            put(project)

    def draw(self, t: int, number: int, points: Sequence[Point], radius: Number) -> None:
        """Draw a stroke; the whole mask of the frame is given from then on.

        Args:
            t: the frame's place.
            number: the object, 1 or above; 0 erases.
            points: x and y in pixels.
            radius: of the brush, in pixels.

        Raises:
            InputError: there is no such frame or object, or the stroke is none.
        """
        with self._changing() as project:
            project.change(t, brushed(project.ids(t), self._object(number, BACKGROUND), points, radius))

    def draw_box(self, t: int, number: int, box: Sequence[Number]) -> None:
        """Cut an object out of a box around it; the whole mask of the frame is given from then on.

        Args:
            t: the frame's place.
            number: the object, 1 or above.
            box: x0, y0, x1, y1 in pixels.

        Raises:
            InputError: there is no such frame or object, or nothing is found in the box.
        """
        with self._changing() as project:
            project.change(t, boxed(project.ids(t), self._object(number, 1), project.frame(t), box))

    def load_masks(self, path: Path, t: int) -> int:
        """As `Project.load_masks`.

        Raises:
            InputError: the file cannot be used.
        """
        with self._changing() as project:
            return project.load_masks(path, t)

    def clear(self, t: int) -> None:
        """Forget the mask of a frame, drawn or found.

        Raises:
            InputError: there is no such frame.
        """
        with self._changing() as project:
            project.give(t, np.zeros_like(project.ids(t)))

    def undo(self) -> int | None:
        """Take the last change back; returns its frame, or None where there was none."""
        with self._changing() as project:
            return project.undo()

    def propagate(self, direction: str, start: int | None = None) -> Iterator[Progress]:
        """Follow the objects; the masks that are given hold as they are. Closing the iterator stops it.

        Args:
            direction: `forward`, `backward` or `both`.
            start: follow forward from this frame alone, where what is shown is taken as right. Frames before stay.

        Raises:
            InputError: the direction is unknown, there are no masks, something is under way, or a frame is unreadable.
            OSError: a mask could not be written.
        """
        if direction not in DIRECTIONS:
            raise InputError(f"direction {direction!r} is unknown: use {', '.join(DIRECTIONS)}")
        with self._changing() as project:
            if start is not None:
                direction = "forward"
                project.give(start, project.ids(start), project.absent(start))
            spill = project.folder / SPILL
            work = PropagationJob(
                project.video(), project.results, self.segmenter, self.short_side, direction, start or 0, spill
            )
            self._work = work
        yield from work.run()

    def stop(self, wait: float = 0.0) -> None:
        """Stop the propagation, if one is under way; what is found stays.

        Args:
            wait: seconds to wait for its end, at the most.
        """
        with self._lock:  # a propagation that is just being started is to be stopped as well
            work = self._work
        if work is not None:
            work.stop()
            work.wait(wait)

    def masks_file(self) -> Path:
        """The masks found, as a zip.

        Raises:
            InputError: nothing was found yet.
        """
        with self._making_file() as project:
            return project.results.write_archive()

    def overlay_file(self) -> Path:
        """The masks over the frames, as an mp4.

        Raises:
            InputError: nothing was found yet.
        """
        with self._making_file() as project:
            return project.results.write_overlay(project.video())

    def report_file(self, about: Mapping[str, Any]) -> Path:
        """The page with all that was found.

        Args:
            about: what it was made with, as plain values.

        Raises:
            InputError: nothing was found yet.
        """
        with self._making_file() as project:
            return project.results.write_report(project.video(), about)

    def close_if_idle(self) -> bool:
        """Close, unless something is under way; returns whether it did."""
        if not self._lock.acquire(blocking=False):
            return False  # a step is being taken
        try:
            if self.is_working or self._num_files:
                return False
            self._closed = True
        finally:
            self._lock.release()
        self.close()
        return True

    def close(self) -> None:
        """Stop all work and delete everything; no step can be taken any more."""
        with self._lock:
            self._closed = True
        self.stop(SECONDS_TO_END)
        self._project = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _opening(self) -> Iterator[tuple[Path, Callable[[Project], None]]]:
        """A folder to make a video in, and what puts that video in the place of the one before; deleted if it fails.

        Making it takes long, so the lock is not held; what has changed meanwhile is looked at when it is put.
        """
        with self._lock:
            self._check_rest()
            self._num_asked += 1
            number = self._num_asked
            folder = Path(tempfile.mkdtemp(prefix="video_", dir=self.folder))

        def put(project: Project) -> None:
            with self._lock:
                self._check_rest()
                if number < self._num_open:
                    raise InputError("another video was opened meanwhile: open this one again if you want it")
                before, self._project, self._num_open = self._project, project, number
            if before is not None:
                shutil.rmtree(before.folder, ignore_errors=True)

        try:
            yield folder, put
        except BaseException:
            shutil.rmtree(self.folder if self._closed else folder, ignore_errors=True)  # making it made both again
            raise

    @contextmanager
    def _changing(self) -> Iterator[Project]:
        """The video that is open, for a change that nothing comes into."""
        with self._lock:
            self._check_rest()
            yield self.project

    @contextmanager
    def _making_file(self) -> Iterator[Project]:
        """The video that is open, for a file of its masks; until it is made they stay as they are."""
        with self._lock:
            self._check_rest(files_too=False)
            project = self.project
            if not project.results.done:
                raise InputError("nothing was found yet: propagate first")
            self._num_files += 1
        try:
            with self._making_files:
                yield project
        finally:
            with self._lock:
                self._num_files -= 1

    def _check_rest(self, files_too: bool = True) -> None:
        """To be called under the lock."""
        if self._closed:
            raise InputError("this visit has ended: reload the page")
        if self.is_working:
            raise InputError("a propagation is under way: wait for it, or stop it")
        if files_too and self._num_files:
            raise InputError("a file to take away is being made: wait for it, then do this again")

    def _object(self, number: int, lowest: int) -> int:
        if not lowest <= number <= max(MOST_OBJECTS, *self.project.object_ids, 0):
            raise InputError(f"there is no object {number}: use 1 to {MOST_OBJECTS}")
        return number
