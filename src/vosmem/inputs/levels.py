"""Pictures of more than 8 bits a channel as bytes, by one scale for a whole video."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Num, UInt8

from vosmem.data.decoding.pictures import load_picture
from vosmem.errors import InputError

LOOKED_AT = 50  # frames of a video whose range is looked at, evenly spaced
OUTLIERS = 1e-4  # share of a frame's pixels at either end that the range leaves out: dead and hot pixels of a sensor


class Levels(NamedTuple):
    """The numbers that become 0 and 255.

    Attributes:
        low: the lowest.
        high: the highest.
    """

    low: float
    high: float

    def bytes_of(self, numbers: Num[np.ndarray, "*S"]) -> UInt8[np.ndarray, "*S"]:
        """Scale linearly; what is beyond the ends is clipped, what is no number becomes 0.

        Example:
            >>> Levels(0, 4080).bytes_of(np.array([0, 16, 4080, 4095], np.uint16)).tolist()
            [0, 1, 255, 255]
        """
        span = (self.high - self.low) or 1.0  # one shade in the whole video
        scaled = (np.nan_to_num(numbers.astype(np.float64), nan=self.low) - self.low) * (255 / span)
        return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def find_levels(pictures: Iterable[Num[np.ndarray, "*S"]]) -> Levels:
    """The range of the numbers in some pictures, without outliers.

    Raises:
        InputError: there is no finite number in them.
    """
    ends = []
    for numbers in pictures:
        finite = numbers[np.isfinite(numbers)]
        if finite.size:
            ends.append(np.quantile(finite, (OUTLIERS, 1 - OUTLIERS), method="nearest"))
    if not ends:
        raise InputError("frames hold no finite number: save them with 8 bits a channel")
    return Levels(float(min(low for low, _ in ends)), float(max(high for _, high in ends)))


def evenly(count: int) -> list[int]:
    """The indices of at most `LOOKED_AT` frames, the first and the last among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, LOOKED_AT))})


def read_numbers(path: Path, page: int | None = None) -> Num[np.ndarray, "..."]:
    """A picture of more than 8 bits a channel with all its bits: (H, W), or (H, W, 3) in RGB.

    Raises:
        InputError: the file is missing or cannot be decoded to the end.
    """
    image = load_picture(path, "frame", page)
    if image.mode.startswith(("I", "F")):
        return np.asarray(image)
    # Pillow has 8 bits for colours.
    _, pages = cv2.imdecodemulti(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if not pages:
        raise InputError(f"frame {str(path)!r} cannot be read (16-bit colours): save it with 8 bits a channel")
    numbers = np.asarray(pages[0 if page is None or page >= len(pages) else page])
    return numbers if numbers.ndim == 2 else numbers[..., 2::-1]
