"""Colours as ids: the palette of DAVIS, and ids for the colours of other masks."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Int32, UInt8

from vosmem.errors import InputError

BLACK = 0
MOST_COLOURS = 255


def davis_palette() -> UInt8[np.ndarray, "256 3"]:
    """The PASCAL VOC colour map, which DAVIS uses: the bits of the id spread over red, green and blue.

    Example:
        >>> davis_palette()[:4].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    """
    ids = np.arange(256, dtype=np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        channel, weight = bit % 3, 7 - bit // 3
        palette[:, channel] |= ((ids >> bit) & 1) << weight
    return palette


def whole_palette(colours: UInt8[np.ndarray, "N 3"]) -> UInt8[np.ndarray, "256 3"]:
    """Extend a palette to 256 colours with those of DAVIS."""
    palette = davis_palette()
    palette[: len(colours)] = colours
    return palette


def pack(colours: UInt8[np.ndarray, "*S 3"]) -> Int32[np.ndarray, "*S"]:
    """Pack red, green and blue into one number.

    Example:
        >>> hex(pack(np.array([[1, 2, 3]], np.uint8))[0])
        '0x10203'
    """
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


class ColourIds:
    """Ids of the colours in the masks of one video; a colour keeps its id. Black is background.

    New colours get the ids of the DAVIS palette if it holds all of them, else their grey level if all are grey, else
    the lowest free ids, darker colours first.

    Example:
        >>> ids = ColourIds()
        >>> ids.learn([0x000000, 0x800000]), ids.of[0x800000]
        ('DAVIS colours', 1)
        >>> ids.learn([0x800000, 0xFFFF00]), ids.of[0xFFFF00]
        ('other colours', 2)
    """

    def __init__(self) -> None:
        self.of: dict[int, int] = {BLACK: 0}
        self._davis = {int(colour): index for index, colour in enumerate(pack(davis_palette()))}

    def learn(self, packed: Iterable[int]) -> str:
        """Assign an id to each packed colour.

        Returns:
            the rule that assigned the ids: `DAVIS colours`, `grey as RGB` or `other colours`.

        Raises:
            InputError: more than 255 new colours fit neither of the first two rules.
        """
        colours = [int(colour) for colour in packed]
        new = [colour for colour in colours if colour not in self.of]
        greys = {colour: colour & 255 for colour in colours if colour == (colour & 255) * 0x010101}
        for rule, known in (("DAVIS colours", self._davis), ("grey as RGB", greys)):
            if all(colour in known and self.of.get(colour, known[colour]) == known[colour] for colour in colours) and (
                self._free(known[colour] for colour in new)
            ):
                self.of.update((colour, known[colour]) for colour in new)
                return rule
        if len(new) > MOST_COLOURS:
            raise InputError(f"holds {len(new)} colours")
        for colour in sorted(new, key=_brightness):
            self.of[colour] = next(number for number in range(1, 2**16) if self._free([number]))
        return "other colours"

    def palette(self) -> UInt8[np.ndarray, "256 3"]:
        """The colours by id; ids without a colour get that of DAVIS."""
        palette = davis_palette()
        for colour, number in self.of.items():
            if number < len(palette):
                palette[number] = colour >> 16, colour >> 8 & 255, colour & 255
        return palette

    def _free(self, ids: Iterable[int]) -> bool:
        return not set(ids) & set(self.of.values())


def _brightness(colour: int) -> tuple[int, int]:
    """Sort key of a packed colour: its luma, then the colour itself."""
    return 299 * (colour >> 16) + 587 * (colour >> 8 & 255) + 114 * (colour & 255), colour
