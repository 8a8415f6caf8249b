"""One scale from many bits to bytes for all frames of a video."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Num, UInt8

from vosmem.errors import InputError

MAX_SAMPLED = 50  # evenly spaced frames from which the range is estimated
OUTLIERS = 1e-4  # share of pixels that the range leaves out at either end: dead and hot pixels of a sensor


class IntensityRange(NamedTuple):
    """The intensities that are mapped to 0 and 255."""

    low: float
    high: float

    @classmethod
    def of(cls, pictures: Iterable[Num[np.ndarray, "*S"]]) -> "IntensityRange":
        """The range of the finite intensities of pictures, without outliers; `InputError` if none is finite."""
        ends = []
        for intensities in pictures:
            finite = intensities[np.isfinite(intensities)]
            if finite.size:
                ends.append(np.quantile(finite, (OUTLIERS, 1 - OUTLIERS), method="nearest"))
        if not ends:
            raise InputError("frames hold no finite number: save them with 8 bits per channel")
        return cls(float(np.min(ends)), float(np.max(ends)))

    @classmethod
    def sampled(cls, num_frames: int, read: Callable[[int], Num[np.ndarray, "..."]]) -> "IntensityRange":
        """Find the range of at most `MAX_SAMPLED` evenly spaced frames; frames that cannot be read are skipped.

        Raises:
            InputError: no frame can be read, or none holds a finite number.
        """
        errors = []

        def readable() -> Iterator[np.ndarray]:
            for t in np.linspace(0, num_frames - 1, min(num_frames, MAX_SAMPLED)).round().astype(int):
                try:
                    yield read(int(t))
                except InputError as error:
                    errors.append(error)  # reported where the frame is read

        try:
            return cls.of(readable())
        except InputError as error:
            raise (errors or [error])[0] from None

    def to_bytes(self, intensities: Num[np.ndarray, "*S"]) -> UInt8[np.ndarray, "*S"]:
        """Scale linearly and clip; NaN becomes 0.

        Example:
            >>> IntensityRange(0, 4080).to_bytes(np.array([0, 16, 4080, 4095], np.uint16)).tolist()
            [0, 1, 255, 255]
        """
        span = (self.high - self.low) or 1.0  # one shade in the whole video
        scaled = (np.nan_to_num(intensities.astype(np.float64), nan=self.low) - self.low) * (255 / span)
        return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
