"""The masks that a user gives for one video, wherever they lie."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from natsort import natsorted

from vosmem.data.decoding.images import is_image
from vosmem.data.decoding.mask_files import MaskFile, read_mask
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import ColourIds
from vosmem.inputs.wording import counted


class GivenMasks(ABC):
    """Masks by the stem of their frame.

    Attributes:
        name: where they lie, for messages.
        stems: of the frames that have one, in natural order.
        notes: what a user should know of all of them, a line each.
    """

    name: str
    stems: Sequence[str]
    notes: tuple[Note, ...] = ()

    @abstractmethod
    def label(self, stem: str) -> str:
        """What messages call the mask of a stem."""

    @abstractmethod
    def read(self, stem: str) -> MaskFile:
        """The mask of a stem.

        Raises:
            InputError: it cannot be read as a mask.
        """


class PictureMasks(GivenMasks):
    """Pictures, one a frame, or the pages of one file.

    Args:
        name: where they lie.
        paths: by stem.
        max_objects: more ids than this in one mask are taken for a mistake.
        clean: whether what anti-aliasing leaves at edges is taken away.
        pages: of a stack, by stem.
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
        """The file's name, and the frame's where one file holds several."""
        return f"{self._paths[stem].name}[{stem}]" if self._pages else self._paths[stem].name

    def read(self, stem: str) -> MaskFile:
        """Decode the picture; colours keep their ids over all masks."""
        return read_mask(self._paths[stem], self._max_objects, self._clean, self._colours, self._pages.get(stem))


def pictures_by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """The pictures among some files, in natural order."""
    return {path.stem: path for path in natsorted(paths) if is_image(path)}
