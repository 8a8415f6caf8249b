"""Soft aggregation: the formula, symmetries, and precision."""

import math

import pytest
import torch

from vosmem.ops.aggregation import soft_aggregate


def by_hand(probs: list[float]) -> list[float]:
    """Odds of each slot, normalised: the equation for a single pixel."""
    slots = [math.prod(1 - p for p in probs), *probs]
    clamped = [min(max(p, 1e-7), 1 - 1e-7) for p in slots]
    odds = [p / (1 - p) for p in clamped]
    return [o / sum(odds) for o in odds]


def test_equals_the_formula():
    probs = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    merged = soft_aggregate(probs).softmax(dim=1)
    for b in range(2):
        for y in range(4):
            for x in range(5):
                expected = torch.tensor(by_hand(probs[b, :, y, x].tolist()), dtype=torch.float64)
                torch.testing.assert_close(merged[b, :, y, x], expected, rtol=1e-12, atol=1e-14)


def test_one_object_has_a_closed_form():
    p = torch.linspace(0.01, 0.99, 50, dtype=torch.float64).view(1, 1, 50)
    torch.testing.assert_close(soft_aggregate(p).softmax(dim=1)[:, 1:], p**2 / (p**2 + (1 - p) ** 2))


def test_objects_permute():
    probs = torch.rand(1, 4, 6, dtype=torch.float64)
    order = torch.tensor([2, 0, 3, 1])
    slots = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
    torch.testing.assert_close(soft_aggregate(probs[:, order]), soft_aggregate(probs)[:, slots])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_raised(dtype):
    probs = torch.tensor([[[0.0, 0.3, 1.0]]], dtype=dtype)
    logits = soft_aggregate(probs)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_float64_is_kept():
    assert soft_aggregate(torch.rand(1, 2, 3, dtype=torch.float64)).dtype == torch.float64


def test_autocast_does_not_lower_it():
    probs = torch.tensor([[[0.0, 1.0]]])
    with torch.autocast("cpu", torch.bfloat16):
        logits = soft_aggregate(probs.requires_grad_())
    torch.testing.assert_close(logits, soft_aggregate(probs))
    assert logits.dtype == torch.float32 and logits.isfinite().all()


def test_padded_slots_change_nothing():
    probs = torch.rand(1, 2, 7)
    padded = torch.cat([probs, torch.rand(1, 1, 7)], dim=1)
    logits = soft_aggregate(padded, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(logits[:, :3], soft_aggregate(probs))
    assert (logits[:, 3] == -math.inf).all()


def test_gradient():
    probs = (0.05 + 0.9 * torch.rand(1, 3, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(soft_aggregate, (probs,))


def test_padded_slots_give_no_nan_gradient():
    probs = torch.rand(1, 2, 3, requires_grad=True)
    logits = soft_aggregate(probs, torch.tensor([[True, False]]))
    torch.nn.functional.cross_entropy(logits, torch.ones(1, 3, dtype=torch.long)).backward()
    assert probs.grad.isfinite().all()
    assert (probs.grad[:, 1] == 0).all()
