"""How far apart the frames of a training clip may lie, as training goes on."""

from bisect import bisect_right
from collections.abc import Sequence

from vosmem.errors import InputError


class SkipSchedule:
    """The greatest skip of each epoch: a step function.

    A skip counts the frames left out between two neighbours of a clip, at the video's original rate.

    Args:
        epochs: where each step begins, ascending from 0.
        skips: the greatest skip from there on.

    Raises:
        InputError: the lists differ in length, do not start at epoch 0 or do not ascend, or a skip is negative.

    Source:
        STM section 3.6 and its authors: 0, then 5 more every 20 epochs up to 25.

    Example:
        >>> schedule = SkipSchedule([0, 20, 40], [0, 5, 10])
        >>> [schedule(epoch) for epoch in (0, 19, 20, 400)]
        [0, 0, 5, 10]
    """

    def __init__(self, epochs: Sequence[int], skips: Sequence[int]):
        self.epochs, self.skips = list(epochs), list(skips)
        ascends = all(before < after for before, after in zip(self.epochs, self.epochs[1:], strict=False))
        if len(self.epochs) != len(self.skips) or self.epochs[:1] != [0] or not ascends or min(self.skips) < 0:
            raise InputError(
                f"curriculum with epochs {self.epochs} and skips {self.skips}: give as many skips of 0 or more as "
                f"ascending epochs from 0"
            )

    def __call__(self, epoch: int) -> int:
        """The greatest skip of an epoch."""
        return self.skips[bisect_right(self.epochs, epoch) - 1]
