"""How far apart the frames of a training clip may lie, as training goes on."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from vosmem.errors import InputError

# From an epoch and the number of samples of the whole training before this one to the greatest skip.
Curriculum = Callable[[int, int], int]


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

    def __call__(self, epoch: int, samples: int = 0) -> int:
        """The greatest skip of an epoch, whatever the number of samples before it."""
        return self.skips[bisect_right(self.epochs, epoch) - 1]


class SkipShares:
    """The greatest skip as a step function of the share of a training that is done, whatever its length.

    Args:
        shares: where each step begins, ascending from 0 to below 1.
        skips: the greatest skip from there on.
        max_steps: optimiser steps of the training.
        batch_size: samples of a step.

    Raises:
        InputError: the lists differ in length, shares do not start at 0, do not ascend or reach 1, or a skip is
            negative.

    Source:
        STCN (Cheng et al., NeurIPS 2021) gives its curriculum by shares of the training.

    Example:
        >>> schedule = SkipShares([0.0, 0.5], [5, 10], max_steps=100, batch_size=4)
        >>> [schedule(0, samples) for samples in (0, 199, 200)]
        [5, 5, 10]
    """

    def __init__(self, shares: Sequence[float], skips: Sequence[int], max_steps: int, batch_size: int):
        self.shares, self.skips, self.num_samples = list(shares), list(skips), max_steps * batch_size
        ascends = all(before < after for before, after in pairwise([*self.shares, 1]))
        if len(self.shares) != len(self.skips) or self.shares[:1] != [0] or not ascends or min(self.skips) < 0:
            raise InputError(
                f"curriculum with shares {self.shares} and skips {self.skips}: give one skip of 0 or more for each "
                f"share, and ascending shares from 0 to below 1"
            )

    def __call__(self, epoch: int, samples: int) -> int:
        """The greatest skip after a number of samples of the whole training."""
        return self.skips[bisect_right(self.shares, samples / self.num_samples) - 1]
