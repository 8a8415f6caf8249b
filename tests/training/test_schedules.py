"""A resumed checkpoint follows the configured schedule, as if the training had begun with it."""

import copy
from functools import partial

import pytest
import torch
from torch.optim.lr_scheduler import ConstantLR, MultiStepLR, PolynomialLR

from vosmem.training.schedules import WarmUpCosine, follow_schedule

STEPS = 6
LONGER = {
    "cosine": (
        partial(WarmUpCosine, num_steps=STEPS, warm_up_share=0.2),
        partial(WarmUpCosine, num_steps=12, warm_up_share=0.2),
    ),
    "poly": (partial(PolynomialLR, total_iters=STEPS, power=0.9), partial(PolynomialLR, total_iters=12, power=0.9)),
    "step": (partial(MultiStepLR, milestones=[2, 4], gamma=0.1), partial(MultiStepLR, milestones=[5, 9], gamma=0.1)),
    "constant": (partial(ConstantLR, factor=1.0), partial(ConstantLR, factor=0.5, total_iters=9)),
    "another": (partial(PolynomialLR, total_iters=STEPS), partial(MultiStepLR, milestones=[3], gamma=0.1)),
}


def training(make):
    """Two groups of parameters under a schedule."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.5, 0.1)]
    optimizer = torch.optim.Adam(groups)
    return optimizer, make(optimizer)


def rates_of(optimizer, scheduler, steps):
    """The rates of each step."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return rates


def checkpoint_after(make, steps):
    optimizer, scheduler = training(make)
    rates_of(optimizer, scheduler, steps)
    return {"optimizer_states": [optimizer.state_dict()], "lr_schedulers": [scheduler.state_dict()]}


def resumed(make, checkpoint):
    optimizer, scheduler = training(make)
    optimizer.load_state_dict(checkpoint["optimizer_states"][0])
    scheduler.load_state_dict(copy.deepcopy(checkpoint["lr_schedulers"][0]))
    return optimizer, scheduler


@pytest.mark.parametrize("name", LONGER)
@pytest.mark.parametrize("done", [3, STEPS])
def test_a_longer_schedule_counts_from_the_next_step(name, done):
    before, after = LONGER[name]
    checkpoint = checkpoint_after(before, done)
    follow_schedule(checkpoint, after)
    found = rates_of(*resumed(after, checkpoint), 12 - done)
    assert found == rates_of(*training(after), 12)[done:]


@pytest.mark.parametrize("name", LONGER)
def test_an_equal_schedule_leaves_the_checkpoint_unchanged(name):
    make = LONGER[name][0]
    checkpoint = checkpoint_after(make, 3)
    kept = copy.deepcopy(checkpoint)
    follow_schedule(checkpoint, make)
    assert checkpoint == kept
