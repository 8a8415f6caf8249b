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
    zoom: float = 2.0
    border: str = "black"
    border_masks: bool = False
    aggregate_given: bool = False

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"conventions.top_k={self.top_k} is not possible: use 1 or more, or null for all cells")
        if self.short_side is not None and self.short_side < 16:
            raise InputError(f"conventions.short_side={self.short_side} is too small: use 16 pixels or more, or null")
        if self.zoom < 1:
            raise InputError(f"conventions.zoom={self.zoom} is not possible: use 1 (whole frames) or more")
        if self.border not in BORDERS:
            raise InputError(f"conventions.border={self.border!r} is unknown: use {' or '.join(BORDERS)}")
