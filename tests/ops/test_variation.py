"""Variation: 0 for equal masks and features, 1 for disjoint ones, each object by itself."""

import pytest
import torch

from vosmem.ops.variation import certainty, variations


def masks_and_key(*blocks, size=(10, 14), key=None):
    """Masks of blocks (row, column) of three by three cells, and keys drawn from a fixed seed."""
    masks = torch.zeros(len(blocks), *size, dtype=torch.float64)
    for k, block in enumerate(blocks):
        if block is not None:
            masks[k, block[0] : block[0] + 3, block[1] : block[1] + 3] = 1
    rng = torch.Generator().manual_seed(0)
    return masks, torch.rand(6, *size, generator=rng, dtype=torch.float64) if key is None else key


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_equal_frames_have_no_variation(weight):
    assert variations(masks_and_key((2, 3), (6, 8)), masks_and_key((2, 3), (6, 8)), weight).abs().max() < 1e-9


def test_against_the_formula():
    now, then = masks_and_key((2, 3)), masks_and_key((2, 4))
    shape = 1 - 6 / 12
    k, before = (look_[1][:, 2:5, c : c + 3].mean(dim=(1, 2)) for look_, c in ((now, 3), (then, 4)))
    features = 1 - float(k @ before / (k.norm() * before.norm()))
    for weight in (0.0, 0.3, 1.0):
        expected = (1 - weight) * shape + weight * features
        assert variations(now, then, weight).item() == pytest.approx(expected, abs=1e-6)


def test_objects_permute_and_are_independent():
    now, then = masks_and_key((2, 3), (6, 8)), masks_and_key((2, 5), (6, 9))
    both = variations(now, then, 0.5)
    turned = variations((now[0].flip(0), now[1]), (then[0].flip(0), then[1]), 0.5)
    single = variations((now[0][:1], now[1]), (then[0][:1], then[1]), 0.5)
    torch.testing.assert_close(turned, both.flip(0))
    torch.testing.assert_close(single, both[:1])


def test_aligned_variation_ignores_motion_and_counts_growth():
    still = torch.ones(6, 10, 14, dtype=torch.float64)
    moved = variations(masks_and_key((5, 8), key=still), masks_and_key((2, 3), key=still), 0.5, aligned=True)
    assert moved.item() == pytest.approx(0, abs=1e-6)
    assert variations(masks_and_key((5, 8), key=still), masks_and_key((2, 3), key=still), 0.5).item() == pytest.approx(
        0.5
    )
    grown = masks_and_key((2, 3), key=still)[0].clone()
    grown[0, 1:6, 2:7] = 1
    assert variations((grown, still), masks_and_key((2, 3), key=still), 0.0, aligned=True).item() == pytest.approx(
        1 - 9 / 25
    )


def test_a_reappeared_object_has_changed_and_a_lost_one_does_not_count():
    assert variations(masks_and_key((2, 3)), masks_and_key(None), 0.5).item() == pytest.approx(1)
    assert variations(masks_and_key(None), masks_and_key((2, 3)), 0.5).item() == 0


@pytest.mark.parametrize(
    ("columns", "expected"),
    [([[0.9, 0.1, 0.0]], 0.0), ([[0.2, 0.7, 0.1], [0.9, 0.1, 0.0]], 0.7), ([[0.4, 0.3, 0.3], [0.0, 0.0, 1.0]], 0.65)],
)
def test_certainty_is_the_mean_of_the_most_likely_object(columns, expected):
    probs = torch.tensor(columns).T[:, None]
    assert certainty(probs).item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_frames_keep_float32_under_autocast(dtype):
    """The sum over 68 x 120 cells leaves the range of float16."""
    masks, keys = torch.ones(1, 68, 120), [(20 + torch.rand(4, 68, 120)).to(dtype) for _ in range(2)]
    with torch.autocast("cpu", dtype):
        found = variations((masks, keys[0]), (masks, keys[1]), 1.0)
    torch.testing.assert_close(found, variations((masks, keys[0].float()), (masks, keys[1].float()), 1.0))
