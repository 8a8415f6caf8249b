"""Where the frames of a user's video come from, and folders of pictures as such a source."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding import read_header
from vosmem.data.images import read_image
from vosmem.data.notes import Decision, Note
from vosmem.data.video_layouts import list_pictures
from vosmem.errors import InputError


class FrameSource(ABC):
    """The frames of one video, in any order.

    Attributes:
        name: what messages call it.
        frame_names: stems of the files that are written for the frames.
        size: width and height that every frame has.
        rate: frames a second; None where nobody knows.
        times: seconds of every frame from the first; None where nobody knows.
        notes: what a user should know, a line each.
    """

    name: str
    frame_names: Sequence[str]
    size: tuple[int, int]
    rate: Fraction | None = None
    times: Sequence[float] | None = None
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.frame_names)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of frame t.

        Raises:
            InputError: the frame cannot be read, or has another size than the first.
        """
        frame = self._decode(t)
        self._check_size(t, (frame.shape[2], frame.shape[1]))
        return frame

    @abstractmethod
    def check(self, t: int) -> None:
        """Look at what is known of frame t without decoding it.

        Raises:
            InputError: the frame cannot be read, or has another size than the first.
        """

    @abstractmethod
    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Frame t, whatever its size."""

    def _check_size(self, t: int, size: tuple[int, int]) -> None:
        if size != self.size:
            raise InputError(
                f"frame {self.frame_names[t]!r} of {self.name!r} is {size[0]}x{size[1]}, the first frame "
                f"{self.size[0]}x{self.size[1]}: all frames of a video need one size"
            )


class FolderFrames(FrameSource):
    """Pictures of any common type in natural order; what is no picture in their folder is overlooked.

    Args:
        source: the folder, or one picture, which is a video of one frame.

    Raises:
        InputError: the folder is missing or holds no pictures, the first cannot be read, or two share a stem.
    """

    def __init__(self, source: Path):
        self.name = str(source)
        self._paths = [source] if source.is_file() else list_pictures(source)
        self.frame_names = [path.stem for path in self._paths]
        self._raise_twins()
        header = read_header(self._paths[0])
        self.size = (header.width, header.height)
        if header.rotated:
            self.notes = (Decision.EXIF_IGNORED.note(name=self._paths[0].name),)

    def check(self, t: int) -> None:
        """From the header of the picture."""
        header = read_header(self._paths[t], "frame")
        self._check_size(t, (header.width, header.height))

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return torch.from_numpy(read_image(self._paths[t]).copy()).permute(2, 0, 1)

    def _raise_twins(self) -> None:
        path_of: dict[str, Path] = {}
        for path in self._paths:
            twin = path_of.setdefault(path.stem, path)
            if twin != path:
                raise InputError(
                    f"folder {self.name!r} holds {twin.name} and {path.name}, whose masks would have one name: "
                    f"keep one of each stem"
                )
