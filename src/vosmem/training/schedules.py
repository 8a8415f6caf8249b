"""Schedules of the learning rate and of other numbers."""

import math
from collections.abc import Callable
from typing import Any

import torch

from vosmem.errors import InputError


class LinearFall:
    """A number that changes linearly from `start` at step 0 to `end` at step `num_steps`, and stays.

    Raises:
        InputError: `num_steps` is below 1.

    Example:
        >>> fall = LinearFall(1.0, 0.2, 10)
        >>> fall(0), fall(5), fall(99)
        (1.0, 0.6, 0.2)
    """

    def __init__(self, start: float, end: float, num_steps: int):
        if num_steps < 1:
            raise InputError(f"num_steps={num_steps} of a linear schedule is below 1: use 1 or more")
        self.start, self.end, self.num_steps = start, end, num_steps

    def __call__(self, step: int) -> float:
        progress = min(step / self.num_steps, 1.0)
        return self.end if progress == 1 else self.start + progress * (self.end - self.start)


class WarmUpCosine(torch.optim.lr_scheduler.LambdaLR):
    """Linear warm-up to each group's peak rate, then a cosine to 0 at the last step.

    Not `SequentialLR` of `LinearLR` and `CosineAnnealingLR`: these compute each rate from the one before, so a resumed
    training would not get bit-identical rates, and the nested state cannot be compared by `follow_schedule`.

    Args:
        optimizer: the optimiser, whose groups hold their peak rates.
        num_steps: optimiser steps of the whole training.
        warm_up_share: share of the steps in the warm-up.

    Raises:
        InputError: `num_steps` is below 1.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, num_steps: int, warm_up_share: float):
        if num_steps < 1:
            raise InputError(f"trainer.max_steps={num_steps} is below 1: a cosine schedule needs 1 or more")
        self.num_steps, self.warm_up_steps = num_steps, max(1, round(num_steps * warm_up_share))
        # A plain function, because a checkpoint would hold the attributes of any other callable.
        super().__init__(optimizer, lambda step: self._factor(step))

    def _factor(self, step: int) -> float:
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        progress = min(1.0, max(0.0, (step - self.warm_up_steps) / max(1, self.num_steps - self.warm_up_steps)))
        return rise * 0.5 * (1 + math.cos(math.pi * progress))


# The values of a scheduler's state that change from step to step; the others define the schedule.
POSITION = {"last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial"}


def follow_schedule(
    checkpoint: dict[str, Any],
    make_scheduler: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler],
) -> None:
    """Move a checkpoint to another schedule, at the rates that the training would have reached on that schedule.

    A scheduler's state holds its constructor's numbers, such as the steps of the whole training, and restoring it would
    overwrite new ones. A checkpoint of an equal schedule is left unchanged.

    Args:
        checkpoint: a checkpoint of Lightning; the states of its schedulers and the rates of its optimisers change.
        make_scheduler: makes the new schedule.
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
