"""The masks that a user gives for one video, whatever files they come from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from vosmem.data.decoding.mask_files import MaskFile, read_mask
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import ColourIds
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.wording import counted


class GivenMasks(ABC):
    """Masks by the stem of their frame."""

    name: str  # of the file or folder, for messages
    stems: Sequence[str]  # of the frames that have a mask, in natural order
    notes: tuple[Note, ...] = ()  # decisions about all masks

    @abstractmethod
    def label(self, stem: str) -> str:
        """The name of a mask in messages."""

    @abstractmethod
    def read(self, stem: str) -> MaskFile:
        """Read a mask; `InputError` if the file cannot be read as one."""


class PictureMasks(GivenMasks):
    """Pictures by stem, one per frame, or the pages of one file.

    `max_objects` and `clean` as in `read_mask`; a colour has the same id in all masks.
    """

    def __init__(
        self,
        name: str,
        paths: Mapping[str, Path],
        max_objects: int,
        clean: bool,
        pages: Mapping[str, int] | None = None,
    ):
        self.name, self._paths, self.stems = name, paths, natsorted(paths)
        self._max_objects, self._clean, self._colours = max_objects, clean, ColourIds()
        self._pages = pages or {}
        if self._pages:
            self.notes = (Decision.MASK_PAGES.note(name=Path(name).name, pages=counted(len(self._pages), "page")),)

    def label(self, stem: str) -> str:
        return f"{self._paths[stem].name}[{stem}]" if self._pages else self._paths[stem].name

    def read(self, stem: str) -> MaskFile:
        return read_mask(self._paths[stem], self._max_objects, self._clean, self._colours, self._pages.get(stem))


def pages_by_frame(name: str, num_pages: int, frames: FrameSource, noun: str = "page") -> dict[str, int]:
    """Map the name of each frame to its page in a file that has one page per frame.

    The file has a page for every frame of the whole video, or only for the frames that are used. Any other number of
    pages raises an `InputError`.
    """
    names = frames.frame_names
    if num_pages == len(names):
        return {stem: page for page, stem in enumerate(names)}
    if num_pages == frames.whole_length:
        return dict(zip(names, frames.indices, strict=True))
    raise InputError(
        f"mask {name!r} has {counted(num_pages, noun)} and the video {counted(len(frames), 'frame')}: give a {noun} "
        "for each frame, or one file for each mask, named like its frame"
    )
