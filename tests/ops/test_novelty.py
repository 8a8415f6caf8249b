"""Novelty ranks: against the greedy rule written out."""

import pytest
import torch

from vosmem.ops.novelty import describe, rank


def draw(batch=1, count=7, width=4):
    return torch.nn.functional.normalize(torch.randn(batch, count, width, dtype=torch.float64), dim=2)


def by_hand(frames, num_fixed):
    order, novelty = list(range(num_fixed)), [1.0] * num_fixed
    while len(order) < len(frames):
        left = {k: max(float(frames[k] @ frames[j]) for j in order) for k in range(len(frames)) if k not in order}
        best = min(left, key=left.get)
        novelty.append(1 - left[best])
        order.append(best)
    return order, novelty


@pytest.mark.parametrize("num_fixed", [1, 2, 7])
def test_equals_the_rule(num_fixed):
    frames = draw(batch=3)
    order, novelty = rank(frames, num_fixed)
    for row in range(3):
        expected = by_hand(frames[row], num_fixed)
        assert order[row].tolist() == expected[0] and novelty[row].tolist() == pytest.approx(expected[1])


def test_copies_have_the_last_ranks_and_no_novelty():
    frames = draw(count=3)
    order, novelty = rank(torch.cat([frames, frames, frames], dim=1), 1)
    assert {index % 3 for index in order[0, :3].tolist()} == {0, 1, 2}
    assert novelty[0, 3:].abs().max() < 1e-9 and novelty[0, :3].min() > 1e-3


def test_a_descriptor_separates_objects_from_background():
    key = torch.randn(1, 3, 4, 5, dtype=torch.float64)
    objects = torch.zeros(1, 4, 5, dtype=torch.float64)
    objects[:, :2] = 1
    found = describe(key, objects)[0]
    expected = torch.cat([key[0, :, :2].mean(dim=(1, 2)), key[0, :, 2:].mean(dim=(1, 2))])
    torch.testing.assert_close(found, expected / expected.norm())
    assert describe(key, torch.zeros_like(objects))[0, :3].abs().max() == 0


def test_training_in_bfloat16_does_not_round_it():
    """Frames of a clip differ by less than the resolution of bfloat16."""
    base = torch.nn.functional.normalize(torch.randn(1, 1, 128), dim=2)
    frames = torch.nn.functional.normalize(base + 0.005 * torch.randn(1, 6, 128), dim=2)
    order, novelty = rank(frames, 1)
    with torch.autocast("cpu", torch.bfloat16):
        there = rank(frames, 1)
    assert torch.equal(there[0], order) and torch.equal(there[1], novelty)
    assert novelty[0, 1:].min() > 1e-4 and novelty[0, 1:].max() < 4e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_descriptors_of_large_frames_keep_float32_under_autocast(dtype):
    """The sum over 68 x 120 cells leaves the range of float16."""
    key, objects = 20 + torch.rand(1, 4, 68, 120), torch.zeros(1, 68, 120)
    with torch.autocast("cpu", dtype):
        found = describe(key.to(dtype), objects)
    torch.testing.assert_close(found, describe(key.to(dtype).float(), objects))
