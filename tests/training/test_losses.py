"""Losses against their definition, and their independence of how a batch is shared."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.training.losses import BootstrappedCrossEntropy, ClipCrossEntropy, WithOverlap, matching_loss


def draw(batch=3):
    logits = torch.randn(batch, 2, 3, 4, 5, dtype=torch.float64)
    logits[-1, :, 2] = -torch.inf
    labels = torch.randint(0, 2, (batch, 2, 4, 5))
    return logits, labels


def test_sum_over_frames_of_the_mean_over_pixels():
    logits, labels = draw()
    log_probs = logits.log_softmax(dim=2)
    expected = 0.0
    for t in range(2):
        values = [-log_probs[b, t, labels[b, t, y, x], y, x] for b in range(3) for y in range(4) for x in range(5)]
        expected += sum(values) / len(values)
    torch.testing.assert_close(ClipCrossEntropy()(logits, labels, step=0), expected)


@pytest.mark.parametrize(
    "loss",
    [
        ClipCrossEntropy(),
        BootstrappedCrossEntropy(share=0.3, start=0, end=10),
        WithOverlap(ClipCrossEntropy(), weight=0.7),
    ],
)
def test_mean_over_shares_of_a_batch_is_the_whole(loss):
    logits, labels = draw(batch=4)
    halves = [loss(logits[part], labels[part], step=7) for part in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(torch.stack(halves).mean(), loss(logits, labels, step=7))


def test_overlap_is_one_minus_the_soft_jaccard_of_the_objects_in_sight():
    logits, labels = draw()
    labels[0, 0] = 0  # a frame that no object is in
    probs, expected = logits.softmax(dim=2), 0.0
    for b in range(3):
        for t in range(2):
            missed = []
            for k in (1, 2):
                truth = labels[b, t] == k
                if truth.any():
                    p = probs[b, t, k]
                    missed.append(1 - p[truth].sum() / (p[~truth].sum() + truth.sum()))
            expected += sum(missed) / max(1, len(missed)) / 3
    nothing = WithOverlap(ClipCrossEntropy(), weight=0.0)(logits, labels, step=0)
    torch.testing.assert_close(WithOverlap(ClipCrossEntropy(), weight=2.0)(logits, labels, 0) - nothing, 2 * expected)


def test_overlap_loss_of_a_perfect_mask_is_zero():
    labels = torch.tensor([0, 1, 1, 0]).view(1, 1, 2, 2)
    logits = 60.0 * torch.stack([labels == 0, labels == 1], dim=2)
    assert WithOverlap(ClipCrossEntropy(), weight=1.0)(logits, labels, step=0) < 1e-6


def test_share_falls_linearly():
    loss = BootstrappedCrossEntropy(share=0.15, start=20_000, end=70_000)
    assert [loss.share_at(step) for step in (0, 20_000, 45_000, 70_000, 99_999)] == pytest.approx(
        [1, 1, 0.575, 0.15, 0.15]
    )


def test_only_the_hardest_pixels_count():
    logits, labels = draw(batch=1)
    pixels = torch.nn.functional.cross_entropy(logits[0], labels[0], reduction="none").flatten(1)
    expected = pixels.sort(dim=1, descending=True).values[:, :5].mean(dim=1).sum()
    torch.testing.assert_close(BootstrappedCrossEntropy(share=0.25, start=0, end=1)(logits, labels, step=5), expected)


def test_before_the_start_it_is_plain_cross_entropy():
    logits, labels = draw()
    bootstrapped = BootstrappedCrossEntropy(share=0.15, start=10, end=20)
    torch.testing.assert_close(bootstrapped(logits, labels, step=3), ClipCrossEntropy()(logits, labels, step=3))


@pytest.mark.parametrize(("share", "start", "end"), [(0.0, 0, 1), (1.5, 0, 1), (0.5, 5, 5)])
def test_invalid_loss_settings_are_refused(share, start, end):
    with pytest.raises(InputError, match="0 < share"):
        BootstrappedCrossEntropy(share=share, start=start, end=end)


def test_matching_loss_is_least_for_a_perfect_match():
    expected = torch.rand(5, 2, 3, 3)
    best = matching_loss(expected, expected, batch_size=2)
    assert matching_loss(expected.flip(0), expected, batch_size=2) > best


def test_matching_loss_of_shares_is_the_whole():
    carried, expected = torch.rand(6, 2, 3, 3), torch.rand(6, 2, 3, 3)
    shares = [matching_loss(carried[part], expected[part], batch_size=2) for part in (slice(0, 2), slice(2, 6))]
    torch.testing.assert_close(torch.stack(shares).mean(), matching_loss(carried, expected, batch_size=4))


@pytest.mark.parametrize("carried", [1e-5, 1 - 1e-5])
def test_matching_loss_has_its_largest_gradient_at_the_worst_match(carried):
    """No flat part: a clamp of what is carried would leave the worst cells without a gradient."""
    worst = torch.tensor(carried).expand(1, 1, 1, 1).clone().requires_grad_()
    matching_loss(worst, torch.full((1, 1, 1, 1), float(carried < 0.5)), batch_size=1).backward()
    assert worst.grad.abs() > 1e4


def test_matching_loss_without_objects_is_zero():
    assert matching_loss(torch.zeros(0, 2, 3, 3), torch.zeros(0, 2, 3, 3), batch_size=2) == 0
