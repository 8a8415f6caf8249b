"""Schedules of the learning rate and of other numbers."""

import math
from collections.abc import Callable
from typing import Any

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
        # A plain function: of any other callable, a checkpoint would hold the attributes.
        super().__init__(optimizer, lambda step: self._factor(step))

    def _factor(self, step: int) -> float:
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        progress = min(1.0, max(0.0, (step - self.warm_up_steps) / max(1, self.num_steps - self.warm_up_steps)))
        return rise * 0.5 * (1 + math.cos(math.pi * progress))


# What changes in a scheduler's state from step to step; the rest says which schedule it is.
POSITION = {"last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial"}


def follow_schedule(
    checkpoint: dict[str, Any],
    make_scheduler: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler],
) -> None:
    """Make a checkpoint go on along another schedule, at the rates that it would have reached on that one.

    A scheduler's state holds the numbers that it was made with, such as the steps of the whole training, and restoring
    it would put them over new ones. A checkpoint of the same schedule is left as it is.

    Args:
        checkpoint: of Lightning; the states of its schedulers and the rates of its optimisers change.
        make_scheduler: makes the schedule that counts.
    """
    pairs = zip(checkpoint["optimizer_states"], checkpoint["lr_schedulers"], strict=True)
    for index, (optimizer, saved) in enumerate(pairs):
        groups = optimizer["param_groups"]
        parameters = [torch.zeros((), requires_grad=True) for _ in groups]
        own = [{"params": [p], "lr": group["initial_lr"]} for p, group in zip(parameters, groups, strict=True)]
        stand_in = torch.optim.SGD(own)
        scheduler = make_scheduler(stand_in)
        if _numbers(scheduler.state_dict()) == _numbers(saved):
            continue
        for _ in range(saved["last_epoch"]):
            stand_in.step()
            scheduler.step()
        checkpoint["lr_schedulers"][index] = scheduler.state_dict()
        for group, followed in zip(groups, stand_in.param_groups, strict=True):
            group["lr"] = followed["lr"]


def _numbers(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in POSITION}
