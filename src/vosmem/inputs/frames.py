"""Where the frames of a user's video come from."""

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
