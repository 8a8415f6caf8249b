"""What all formats have in common: they are written frame by frame, and say which files they write."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from vosmem.files import replacing
from vosmem.inputs.user_video import UserVideo

DEFAULT_RATE = Fraction(24)  # frames/s of folders of frames, which have no rate
Frame = UInt8[np.ndarray, "H W 3"]  # RGB
Labels = UInt8[np.ndarray, "H W"]  # slots; 0 for background


class FrameFormat(ABC):
    """Writes the masks of a video in one format; a context manager that completes the files at its end.

    Only a bounded number of frames is in memory. A file appears when it is complete, and not after an error.

    Args:
        folder: of the results.
        video: whose frame names, object ids, rate and size the files use.

    Attributes:
        paths: of the files below the folder; `{frame}` is the name of each frame, `{object}` the id of each object.
        needs: names of other formats that these files refer to.
    """

    paths: ClassVar[tuple[str, ...]]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path, video: UserVideo):
        self.folder, self.video = folder, video
        self._open = ExitStack()

    @abstractmethod
    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        """Write frame t from RGB and slots; frames come in order from 0 on. `OSError` on failure."""

    def finish(self) -> None:  # noqa: B027 - most formats have nothing to add
        """Write what follows the last frame."""

    def path(self, t: int, index: int = 0, object_id: int = 0) -> Path:
        """The file of frame t of the path with an index in `paths`."""
        return self.folder / self.paths[index].format(frame=self.video.frame_names[t], object=object_id)

    def objects(self, labels: Labels) -> Iterator[tuple[int, UInt8[np.ndarray, "H W"]]]:
        """The id of each visible object, and where it is, as 0 and 1."""
        visible = np.bincount(labels.ravel(), minlength=len(self.video.object_ids) + 1) > 0
        for slot, object_id in enumerate(self.video.object_ids, start=1):
            if visible[slot]:
                yield object_id, (labels == slot).view(np.uint8)

    def __enter__(self) -> "FrameFormat":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, trace)  # deletes partial files
        else:
            with self._open:
                self.finish()


class TextFormat(FrameFormat):
    """A format of one text file, which is written as the frames arrive."""

    def __enter__(self) -> "TextFormat":
        partial = self._open.enter_context(replacing(self.folder / self.paths[0]))
        self._file = self._open.enter_context(partial.open("w", encoding="utf-8"))
        self._separator = ""
        return self

    def write(self, text: str) -> None:
        """Append text to the file."""
        self._file.write(text)

    def write_item(self, item: Any) -> None:
        """Append an item to the JSON list that is open in the file."""
        self.write(f"{self._separator}\n{json.dumps(item, separators=(',', ':'))}")
        self._separator = ","

    def begin_list(self, text: str) -> None:
        """Append text, which ends with the bracket that opens a JSON list."""
        self.write(text)
        self._separator = ""
