"""Use only some frames of a video."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource


class FrameRange(NamedTuple):
    """Frames by index from 0, as a Python slice: the first, the one after the last, and the step."""

    first: int | None = None
    end: int | None = None
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> "FrameRange":
        """Read `A:B` or `A:B:STEP`, where A and B may be missing; `InputError` if it is none.

        Example:
            >>> FrameRange.parse("100:"), str(FrameRange.parse(":50:5"))
            (FrameRange(first=100, end=None, step=1), ':50:5')
        """
        parts = text.split(":")
        numbers = [int(part) if part.isascii() and part.isdigit() else None for part in parts]
        bad = any(part and number is None for part, number in zip(parts, numbers, strict=True))
        if len(parts) not in (2, 3) or bad or 0 in numbers[2:]:
            raise InputError(f"{text!r} is no range of frames: give A:B or A:B:STEP with indices from 0, as 100:200:2")
        return cls(numbers[0], numbers[1], (numbers[2] if len(parts) == 3 else None) or 1)

    def __str__(self) -> str:
        ends = ":".join("" if end is None else str(end) for end in self[:2])
        return ends if self.step == 1 else f"{ends}:{self.step}"


class ChosenFrames(FrameSource):
    """The frames of a range of a video; `InputError` if it has none of them."""

    def __init__(self, frames: FrameSource, chosen: FrameRange):
        self._frames, self._indices = frames, range(len(frames))[slice(*chosen)]
        if not self._indices:
            raise InputError(
                f"--frames {chosen} has no frame of {frames.name!r}: use indices from 0 to {len(frames) - 1}"
            )
        self.name, self.size = frames.name, frames.size
        self.frame_names = [frames.frame_names[t] for t in self._indices]
        self.rate = None if frames.rate is None else Fraction(frames.rate) / chosen.step
        if frames.times is not None:
            self.times = [frames.times[t] - frames.times[self._indices[0]] for t in self._indices]
        note = Decision.FRAMES_CHOSEN.note(chosen=chosen, number=len(self), total=len(frames))
        self.notes = (*frames.notes, note)

    @property
    def indices(self) -> Sequence[int]:
        return self._indices

    @property
    def whole_length(self) -> int:
        return len(self._frames)

    def check(self, t: int) -> None:
        self._frames.check(range(len(self._frames))[self._indices[t]])

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self._frames.frame(self._indices[t])
