"""Perturbed previous masks for local attention: a function of the clip only."""

import dataclasses

import pytest
import torch

from vosmem.shapes import Clip
from vosmem.training.perturbation import PriorPerturbation

ALWAYS = PriorPerturbation(probability=1.0, drop=0.0)


def clips(count=4):
    frames = torch.randint(0, 256, (count, 3, 3, 64, 64), dtype=torch.uint8)
    return Clip(frames, torch.zeros(count, 3, 64, 64, dtype=torch.uint8), torch.ones(count, dtype=torch.long))


def masks(count=4):
    out = torch.zeros(count, 2, 64, 64)
    out[:, 0, 20:44, 20:44] = 1
    return out


def test_perturbation_depends_only_on_clip_and_frame():
    batch, given = clips(), masks()
    together = ALWAYS(given, batch, 1)
    for row in range(4):
        alone = ALWAYS(given[row : row + 1], Clip(*(part[row : row + 1] for part in batch)), 1)
        assert torch.equal(together[row : row + 1], alone)
    for row, later in enumerate(ALWAYS(given, batch, 2)):  # another frame: every clip's masks move
        assert (later - together[row]).abs().sum() > 0.02 * given[row].sum()
    assert len({mask.numpy().tobytes() for mask in together}) == 4  # another clip with the same mask: another change


@pytest.mark.parametrize(
    ("changes", "least", "most"),
    [
        ({"grow": 0, "scale": (1.0, 1.0)}, 0.99, 1.01),
        ({"grow": 0, "shift": 0.0}, 0.80, 1.22),
        ({"scale": (1.0, 1.0), "shift": 0.0}, 0.11, 2.8),
        ({}, 0.05, 3.2),
    ],
)
def test_perturbation_stays_within_its_ranges(changes, least, most):
    many = clips(20)
    changed = dataclasses.replace(ALWAYS, **changes)(masks(20), many, 1)
    ratios = changed.sum(dim=(1, 2, 3)) / masks(20).sum(dim=(1, 2, 3))
    assert changed.min() >= 0 and changed.max() <= 1 + 1e-6 and not changed[:, 1].any()
    assert ratios.min() >= least - 1e-3 and ratios.max() <= most + 1e-3
    assert ((changed - masks(20)).abs().amax(dim=(1, 2, 3)) > 0.01).all(), "a mask is left as it was"


def test_perturbation_probability():
    many, given = clips(200), masks(200)
    assert torch.equal(PriorPerturbation(probability=0.0)(given, many, 1), given)
    dropped = PriorPerturbation(probability=1.0, drop=1.0)(given, many, 1)
    assert not dropped.any()
    kept = (PriorPerturbation()(given, many, 1) == given).flatten(1).all(dim=1).float().mean()
    assert 0.2 < kept < 0.42
