"""Schedules of the learning rate and of other numbers."""

import math

import torch

from vosmem.errors import InputError


class LinearFall:
    """A number that falls evenly from one step to another, and stays.

    Args:
        start: at step 0.
        end: at `num_steps` and after.
        num_steps: steps of the fall.

    Raises:
        InputError: `num_steps` is below 1.

    Example:
        >>> fall = LinearFall(1.0, 0.2, 10)
        >>> fall(0), fall(5), fall(99)
        (1.0, 0.6, 0.2)
    """

    def __init__(self, start: float, end: float, num_steps: int):
        if num_steps < 1:
            raise InputError(f"a fall over {num_steps} steps is not possible: use 1 or more")
        self.start, self.end, self.num_steps = start, end, num_steps

    def __call__(self, step: int) -> float:
        """Its value at a step."""
        progress = min(step / self.num_steps, 1.0)
        return self.end if progress == 1 else self.start + progress * (self.end - self.start)


class WarmUpCosine(torch.optim.lr_scheduler.LambdaLR):
    """Rises linearly to each group's own rate, then falls along a cosine to zero at the last step.

    Args:
        optimizer: the optimiser, its groups holding their peak rates.
        num_steps: optimiser steps of the whole training.
        warm_up_share: share of the steps that rise.

    Raises:
        InputError: `num_steps` is below 1.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, num_steps: int, warm_up_share: float):
        if num_steps < 1:
            raise InputError(f"a cosine schedule needs trainer.max_steps of 1 or more, not {num_steps}")
        self.num_steps, self.warm_up_steps = num_steps, max(1, round(num_steps * warm_up_share))
        super().__init__(optimizer, self._factor)

    def _factor(self, step: int) -> float:
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        progress = min(1.0, max(0.0, (step - self.warm_up_steps) / max(1, self.num_steps - self.warm_up_steps)))
        return rise * 0.5 * (1 + math.cos(math.pi * progress))
