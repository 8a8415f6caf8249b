"""Learning-rate schedules."""

import math

import torch

from vosmem.errors import InputError


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
