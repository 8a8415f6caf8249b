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

    Attributes:
        name: of the file or folder, for messages.
        frame_names: stems of the files that are written for the frames.
        size: width and height of each frame.
        rate: frames per second; None if unknown.
        times: presentation times in seconds, from 0; None if unknown.
        notes: decisions about the input that a user should know.
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
            InputError: the frame cannot be read, or its size differs from that of the first frame.
        """
        frame = self._decode(t)
        self._check_size(t, (frame.shape[2], frame.shape[1]))
        return frame

    @abstractmethod
    def check(self, t: int) -> None:
        """Check frame t without decoding it.

        Raises:
            InputError: the frame cannot be read, or its size differs from that of the first frame.
        """

    @abstractmethod
    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t, at any size."""

    def _check_size(self, t: int, size: tuple[int, int]) -> None:
        if size != self.size:
            raise InputError(
                f"frame {self.frame_names[t]!r} of {self.name!r} is {size[0]}x{size[1]}, the first frame "
                f"{self.size[0]}x{self.size[1]}: give all frames of a video one size"
            )
