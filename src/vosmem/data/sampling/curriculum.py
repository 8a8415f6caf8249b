"""How far apart the frames of a training clip may be, as training proceeds."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf

from vosmem.errors import InputError

# From an epoch and the number of samples of the whole training before this one to the greatest skip.
Curriculum = Callable[[int, int], int]


class SkipSchedule:
    """The greatest skip as a step function of the epoch.

    A skip counts the frames between two neighbours of a clip, at the video's original rate.

    Args:
        epochs: start of each step, ascending from 0.
        skips: the greatest skip of each step.

    Raises:
        InputError: the lists differ in length, do not ascend from 0, or a skip is negative.

    Source:
        STM section 3.6 and its authors: 0, then 5 more every 20 epochs up to 25.

    Example:
        >>> schedule = SkipSchedule([0, 20, 40], [0, 5, 10])
        >>> [schedule(epoch) for epoch in (0, 19, 20, 400)]
        [0, 0, 5, 10]
    """

    def __init__(self, epochs: Sequence[int], skips: Sequence[int]):
        self.epochs, self.skips = list(epochs), list(skips)
        _check("epochs", self.epochs, self.skips, inf)

    def __call__(self, epoch: int, samples: int = 0) -> int:
        """The greatest skip of an epoch; `samples` is ignored."""
        return self.skips[bisect_right(self.epochs, epoch) - 1]


class SkipShares:
    """The greatest skip as a step function of the share of the training that is done, whatever its length.

    Args:
        shares: start of each step, ascending from 0 to below 1.
        skips: the greatest skip of each step.
        max_steps: optimiser steps of the training.

    Raises:
        InputError: the lists differ in length, shares do not ascend from 0 to below 1, or a skip is negative.

    Source:
        STCN (Cheng et al., NeurIPS 2021) gives its curriculum by shares of the training.

    Example:
        >>> schedule = SkipShares([0.0, 0.5], [5, 10], max_steps=100, batch_size=4)
        >>> [schedule(0, samples) for samples in (0, 199, 200)]
        [5, 5, 10]
    """

    def __init__(self, shares: Sequence[float], skips: Sequence[int], max_steps: int, batch_size: int):
        self.shares, self.skips, self.num_samples = list(shares), list(skips), max_steps * batch_size
        _check("shares", self.shares, self.skips, 1.0)

    def __call__(self, epoch: int, samples: int) -> int:
        """The greatest skip after a number of samples of the whole training."""
        return self.skips[bisect_right(self.shares, samples / self.num_samples) - 1]


def _check(name: str, starts: Sequence[int | float], skips: Sequence[int], end: float) -> None:
    ascends = all(before < after for before, after in pairwise([*starts, end]))
    if len(starts) != len(skips) or list(starts[:1]) != [0] or not ascends or min(skips) < 0:
        raise InputError(
            f"curriculum with {name} {starts} and skips {skips}: use one skip of 0 or more for each of the {name}, "
            f"which ascend from 0{f' to below {end:g}' if end < inf else ''}"
        )
