"""The options of a segmentation, and the files that are written for each frame."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float32, UInt8

from vosmem.data.decoding.mask_files import read_mask
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_probabilities
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import ids_to_slots
from vosmem.segmentation.formats.registry import FORMATS, MASKS, with_needed

PROBABILITIES, REPORT_NAME = "probabilities", "report"
PROBABILITIES_PATH = f"{PROBABILITIES}/{{frame}}.npz"
WRITABLE = (*FORMATS, PROBABILITIES, REPORT_NAME)


@dataclass(frozen=True)
class SegmentOptions:
    """The direction of propagation, and what is written in addition to masks and tables.

    Args:
        direction: `forward`, `backward` or `both`.
        write: names of `WRITABLE`.

    Raises:
        InputError: a name is unknown.
    """

    direction: str = "forward"
    write: tuple[str, ...] = ("overlay", REPORT_NAME)

    def __post_init__(self) -> None:
        for name in self.write:
            if name not in WRITABLE:
                raise InputError(f"{name!r} cannot be written: use {', '.join(WRITABLE)}")

    @property
    def formats(self) -> tuple[str, ...]:
        """The names of the formats, with masks and with what the others refer to."""
        return with_needed((MASKS, *(name for name in self.write if name in FORMATS)))


class FrameFiles:
    """A context manager that writes frames in order and completes files that hold several frames at its end.

    Args:
        folder: of the results.
        video: whose ids, palette and frame names the files use.
        formats: names of formats.
    """

    def __init__(self, folder: Path, video: UserVideo, formats: Sequence[str]):
        self.folder, self.video = folder, video
        self._open = ExitStack()
        self._formats = {name: FORMATS[name](folder, video) for name in formats}

    def write(
        self,
        t: int,
        frame: UInt8[np.ndarray, "H W 3"],
        labels: UInt8[np.ndarray, "H W"],
        probs: Float32[np.ndarray, "K1 H W"] | None = None,
    ) -> None:
        """Write all files of frame t from RGB, slots and, if they are wanted, probabilities. `OSError` on failure."""
        for one in self._formats.values():
            one.add(t, frame, labels)
        if probs is not None:
            path = self.folder / PROBABILITIES_PATH.format(frame=self.video.frame_names[t])
            write_probabilities(path, probs, self.video.object_ids)

    def replay(self, num_frames: int) -> None:
        """Write the first frames again in all formats, except for masks, from their masks in the folder.

        Raises:
            InputError: a frame or a mask cannot be read.
            OSError: a file could not be written.
        """
        for t in range(num_frames):
            self.replay_frame(t, np.ascontiguousarray(self.video.frame(t).permute(1, 2, 0).numpy()))

    def replay_frame(self, t: int, frame: UInt8[np.ndarray, "H W 3"]) -> None:
        """Write the next frame again, as `replay` does."""
        labels = read_slots(self.folder, self.video, t)
        for name, one in self._formats.items():
            if name != MASKS:
                one.add(t, frame, labels)

    def __enter__(self) -> "FrameFiles":
        with ExitStack() as opening:
            for one in self._formats.values():
                opening.enter_context(one)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


def write_formats(folder: Path, video: UserVideo, formats: Sequence[str]) -> None:
    """Write formats from the masks of a finished run.

    Raises:
        InputError: a frame or a mask cannot be read.
        OSError: a file could not be written.
    """
    if formats:
        with FrameFiles(folder, video, formats) as files:
            files.replay(len(video))


def read_slots(folder: Path, video: UserVideo, t: int) -> UInt8[np.ndarray, "H W"]:
    """The mask of frame t that a run has written, as slots; `InputError` if it cannot be read."""
    path = folder / FORMATS[MASKS].paths[0].format(frame=video.frame_names[t])
    return ids_to_slots(read_mask(path, max_objects=None).ids, video.object_ids)


def missing_formats(folder: Path, video: UserVideo, formats: Sequence[str]) -> list[str]:
    """The names of those formats of which a file is missing."""
    return [name for name in formats if not _complete(folder, video, FORMATS[name].paths)]


def frames_complete(folder: Path, video: UserVideo, options: SegmentOptions, num_frames: int) -> bool:
    """Whether the masks of the first frames exist, and their probabilities if they are wanted."""
    paths = FORMATS[MASKS].paths + ((PROBABILITIES_PATH,) if PROBABILITIES in options.write else ())
    return _complete(folder, video, paths, num_frames)


def _complete(folder: Path, video: UserVideo, paths: Sequence[str], num_frames: int | None = None) -> bool:
    """Whether all files of some paths exist, for all frames or the first ones; a folder is listed once."""
    for path in paths:
        for object_id in video.object_ids if "{object}" in path else (0,):
            parent, _, pattern = path.replace("{object}", str(object_id)).rpartition("/")
            stems = video.frame_names[:num_frames] if "{frame}" in pattern else [""]
            names = [pattern.format(frame=stem) for stem in stems]
            if not set(names) <= {found.name for found in (folder / parent).glob("*")}:
                return False
    return True
