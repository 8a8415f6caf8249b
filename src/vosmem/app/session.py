"""One visitor's work, step by step. Knows nothing of pages."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16

from vosmem.app.drawing import BACKGROUND, Number, Point, boxed, brushed
from vosmem.app.project import MOST_OBJECTS, Project
from vosmem.app.uploads import Limits, take_in
from vosmem.app.work import Pace, Work
from vosmem.errors import InputError
from vosmem.inference.directions import DIRECTIONS
from vosmem.inference.streaming import Segmenter

SECONDS_TO_END = 10.0  # that a frame may take before nobody waits for it any more
SOURCE, SPILL = "source", "backward"
WriteExample = Callable[[Path], tuple[Path, UInt16[np.ndarray, "H W"]]]


class Session:
    """What a visitor does. A folder holds everything; nothing is written outside.

    While a propagation is under way, nothing can be drawn or opened.

    Args:
        folder: of this visitor; it is made.
        segmenter: the network.
        limits: how much may be asked for.
        short_side: the frames' short side for the network, at most; None keeps theirs.
    """

    def __init__(self, folder: Path, segmenter: Segmenter, limits: Limits, short_side: int | None = None):
        self.folder, self.segmenter, self.limits, self.short_side = folder, segmenter, limits, short_side
        self._project: Project | None = None
        self._work: Work | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether there is a video."""
        return self._project is not None

    @property
    def is_working(self) -> bool:
        """Whether a propagation is under way."""
        return self._work is not None and not self._work.is_over

    @property
    def project(self) -> Project:
        """The video that is open.

        Raises:
            InputError: none is.
        """
        if self._project is None:
            raise InputError("no video is open: upload one, or choose an example")
        return self._project

    def open(self, paths: Sequence[Path]) -> None:
        """Open what was uploaded, in the place of the video before.

        Raises:
            InputError: it cannot be used; the video before stays open.
            OSError: it could not be written.
        """
        self._open(lambda folder: take_in(paths, folder, self.limits))

    def open_example(self, write: WriteExample) -> None:
        """Open a video that is made here, with the mask of its first frame.

        Args:
            write: writes it into a folder; returns where, and the mask.

        Raises:
            OSError: it could not be written.
        """
        masks = []

        def make(folder: Path) -> Path:
            source, mask = write(folder)
            masks.append(mask)
            return source

        self._open(make)
        self.project.give(0, masks[0])

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
        project = self._at_rest()
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
        project = self._at_rest()
        project.change(t, boxed(project.ids(t), self._object(number, 1), project.frame(t), box))

    def load_masks(self, path: Path, t: int) -> int:
        """As `Project.load_masks`.

        Raises:
            InputError: the file cannot be used.
        """
        return self._at_rest().load_masks(path, t)

    def clear(self, t: int) -> None:
        """Forget the mask of a frame, drawn or found.

        Raises:
            InputError: there is no such frame.
        """
        project = self._at_rest()
        project.give(t, np.zeros_like(project.ids(t)))

    def undo(self) -> int | None:
        """Take the last change back; returns its frame, or None where there was none."""
        return self._at_rest().undo()

    def propagate(self, direction: str, start: int | None = None) -> Iterator[Pace]:
        """Follow the objects; the masks that are given hold as they are. Closing the iterator stops it.

        Args:
            direction: `forward`, `backward` or `both`.
            start: follow forward from this frame alone, where what is shown is taken as right. Frames before stay.

        Raises:
            InputError: the direction is unknown, there are no masks, a propagation is under way, or a frame cannot be
                read.
            OSError: a mask could not be written.
        """
        if direction not in DIRECTIONS:
            raise InputError(f"direction {direction!r} is unknown: use {', '.join(DIRECTIONS)}")
        project = self._at_rest()
        if start is not None:
            direction = "forward"
            project.give(start, project.ids(start), project.absent(start))
        spill = project.folder / SPILL
        work = Work(project.video(), project.results, self.segmenter, self.short_side, direction, start or 0, spill)
        self._work = work
        yield from work.run()

    def stop(self, wait: float = 0.0) -> None:
        """Stop the propagation, if one is under way; what is found stays.

        Args:
            wait: seconds to wait for its end, at the most.
        """
        if self._work is not None:
            self._work.stop()
            self._work.wait(wait)

    def masks_file(self) -> Path:
        """The masks found, as a zip.

        Raises:
            InputError: nothing was found yet.
        """
        return self._with_results().results.write_archive()

    def overlay_file(self) -> Path:
        """The masks over the frames, as an mp4.

        Raises:
            InputError: nothing was found yet.
        """
        project = self._with_results()
        return project.results.write_overlay(project.video())

    def report_file(self, about: Mapping[str, Any]) -> Path:
        """The page with all that was found.

        Args:
            about: what it was made with, as plain values.

        Raises:
            InputError: nothing was found yet.
        """
        project = self._with_results()
        return project.results.write_report(project.video(), about)

    def close(self) -> None:
        """Stop all work and delete everything."""
        self.stop(SECONDS_TO_END)
        self._project = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, make: Callable[[Path], Path]) -> None:
        self._check_rest()
        folder = Path(tempfile.mkdtemp(prefix="video_", dir=self.folder))
        try:
            project = Project(folder, make(folder / SOURCE), self.limits)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if self._project is not None:
            shutil.rmtree(self._project.folder, ignore_errors=True)
        self._project = project

    def _check_rest(self) -> None:
        if self.is_working:
            raise InputError("a propagation is under way: wait for it, or stop it")

    def _at_rest(self) -> Project:
        self._check_rest()
        return self.project

    def _with_results(self) -> Project:
        project = self._at_rest()
        if not project.results.done:
            raise InputError("nothing was found yet: propagate first")
        return project

    def _object(self, number: int, lowest: int) -> int:
        if not lowest <= number <= max(MOST_OBJECTS, *self.project.object_ids, 0):
            raise InputError(f"there is no object {number}: use 1 to {MOST_OBJECTS}")
        return number
