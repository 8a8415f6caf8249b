"""The masks that a user gives for one video, whatever files they come from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from vosmem.data.decoding.mask_files import MaskFile, read_mask
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import ColourIds
from vosmem.inputs.wording import counted


class GivenMasks(ABC):
    """Masks by the stem of their frame.

    Attributes:
        name: of the file or folder, for messages.
        stems: of the frames that have a mask, in natural order.
        notes: decisions about all masks.
    """

    name: str
    stems: Sequence[str]
    notes: tuple[Note, ...] = ()

    @abstractmethod
    def label(self, stem: str) -> str:
        """The name of a mask in messages."""

    @abstractmethod
    def read(self, stem: str) -> MaskFile:
        """Read a mask.

        Raises:
            InputError: the file cannot be read as a mask.
        """


class PictureMasks(GivenMasks):
    """Pictures, one per frame, or the pages of one file.

    Args:
        name: of the file or folder.
        paths: by stem.
        max_objects: the largest number of ids in one mask.
        clean: whether to remove anti-aliased edges.
        pages: of a multi-page file, by stem.
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
        """The file's name, with the frame's stem if one file holds all masks."""
        return f"{self._paths[stem].name}[{stem}]" if self._pages else self._paths[stem].name

    def read(self, stem: str) -> MaskFile:
        """Decode the picture; a colour has the same id in all masks."""
        return read_mask(self._paths[stem], self._max_objects, self._clean, self._colours, self._pages.get(stem))
