"""Inference settings that belong to a network, next to its weights."""

from dataclasses import dataclass

from vosmem.errors import InputError

BORDERS = ("black", "mean")


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """Inference settings that belong to a network; a user's settings take precedence over `top_k` to `zoom`.

    Args:
        top_k: number of most similar memory cells that a query cell attends to; None for all. Training attends to all.
        include_last: whether the previous frame is read, if the memory policy leaves it open.
        short_side: largest short side of the frames for the network, in pixels; None for the frames' own.
        enlarge_to: short side to which `vosmem segment`, the page and streams enlarge smaller frames; None for never.
        zoom: largest magnification of the window around the objects; 1 for whole frames.
        border: colour that pads a frame to whole memory cells: `black` (padded before normalisation) or `mean`
            (the mean colour that normalisation subtracts, so the border is zero after it).
        border_masks: whether a memorised estimate keeps what the network finds in the border; otherwise the border is
            background.
        aggregate_given: whether a given mask passes soft aggregation once before it is memorised.

    Raises:
        InputError: a value is out of its range.

    Source:
        the defaults are the published STM's. The published STCN has `top_k=20`, `include_last=False`, `border="mean"`,
        `border_masks=True`, `aggregate_given=True`, and sees whole frames, those of YouTube-VOS at 480 pixels.
    """

    top_k: int | None = None
    include_last: bool = True
    short_side: int | None = None
    enlarge_to: int | None = None
    zoom: float = 2.0
    border: str = "black"
    border_masks: bool = False
    aggregate_given: bool = False

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"conventions.top_k={self.top_k} is not possible: use 1 or more, or null for all cells")
        if self.short_side is not None and self.short_side < 16:
            raise InputError(f"conventions.short_side={self.short_side} is too small: use 16 pixels or more, or null")
        if self.enlarge_to is not None and not 16 <= self.enlarge_to <= (self.short_side or self.enlarge_to):
            raise InputError(
                f"conventions.enlarge_to={self.enlarge_to} is not possible: use at least 16 pixels and at most "
                "conventions.short_side, or null"
            )
        if self.zoom < 1:
            raise InputError(f"conventions.zoom={self.zoom} is not possible: use 1 (whole frames) or more")
        if self.border not in BORDERS:
            raise InputError(f"conventions.border={self.border!r} is unknown: use {' or '.join(BORDERS)}")

    def enlarged(self, short_side: int | None) -> int:
        """Return the short side to which small frames are enlarged if a user asks for a largest one; 0 for never.

        Example:
            >>> [Conventions(enlarge_to=480).enlarged(side) for side in (None, 720, 240, 0)]
            [480, 480, 240, 0]
        """
        largest = self.enlarge_to or 0
        return largest if short_side is None else min(largest, short_side)
