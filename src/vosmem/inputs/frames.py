"""The interface of a user's frames, whatever file or folder they come from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction

from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError


class FrameSource(ABC):
    """The frames of one video, in any order.

    `frame` and `check` raise `InputError` if frame t cannot be read or its size differs from that of the first frame.
    """

    name: str  # of the file or folder, for messages
    frame_names: Sequence[str]  # stems of the files that are written for the frames
    size: tuple[int, int]  # width and height of each frame
    rate: Fraction | None = None  # frames/s; None if unknown
    times: Sequence[float] | None = None  # presentation times in seconds, from 0; None if unknown
    notes: tuple[Note, ...] = ()  # decisions about the input

    @property
    def indices(self) -> Sequence[int]:
        """The index of each frame in the whole video."""
        return range(len(self))

    @property
    def whole_length(self) -> int:
        """The number of frames of the whole video."""
        return len(self)

    def __len__(self) -> int:
        return len(self.frame_names)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t to RGB bytes."""
        frame = self._decode(t)
        self._check_size(t, (frame.shape[2], frame.shape[1]))
        return frame

    @abstractmethod
    def check(self, t: int) -> None:
        """Check frame t without decoding it."""

    @abstractmethod
    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t, at any size."""

    def _check_size(self, t: int, size: tuple[int, int]) -> None:
        if size != self.size:
            raise InputError(
                f"frame {self.frame_names[t]!r} of {self.name!r} is {size[0]}x{size[1]}, the first frame "
                f"{self.size[0]}x{self.size[1]}: give all frames of a video one size"
            )
