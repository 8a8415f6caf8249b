"""Losses on the aggregated logits of a clip."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.ops.masks import one_hot

LEAST_CARRIED = 1e-6  # keeps the logarithm of carried masks finite


class ClipCrossEntropy(nn.Module):
    """Cross entropy over background and the objects in use: mean over pixels and clips, sum over frames.

    Source:
        STM section 3.6. A mean over the batch keeps the gradient independent of how devices share it.
    """

    def forward(
        self, logits: Float[Tensor, "B T K1 H W"], labels: Integer[Tensor, "B T H W"], step: int
    ) -> Float[Tensor, ""]:
        """The loss; padded slots of `logits` are -inf and never a label. `step` is not used."""
        pixels = F.cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1).long(), reduction="none")
        return pixels.unflatten(0, labels.shape[:2]).mean(dim=(0, 2, 3)).sum()


class BootstrappedCrossEntropy(nn.Module):
    """Cross entropy over the hardest pixels of each frame, so that easy background does not outweigh the object's edge.

    Until `start` all pixels count; then their share falls linearly to `share` at `end` and stays there.

    Args:
        share: final share of pixels, in (0, 1].
        start: step at which the share starts to fall.
        end: step at which it reaches `share`.

    Raises:
        InputError: the share is outside (0, 1], or `end` is not after `start`.

    Source:
        the re-implementations of STM listed with STCN, with 0.15, 20,000 and 70,000.
    """

    def __init__(self, share: float, start: int, end: int):
        super().__init__()
        if not 0 < share <= 1 or end <= start:
            raise InputError(
                f"bootstrapped loss with share={share}, start={start}, end={end}: use 0 < share <= 1 and start < end"
            )
        self.share, self.start, self.end = share, start, end

    def share_at(self, step: int) -> float:
        """Share of pixels that count at a step."""
        progress = min(max((step - self.start) / (self.end - self.start), 0.0), 1.0)
        return 1 - progress * (1 - self.share)

    def forward(
        self, logits: Float[Tensor, "B T K1 H W"], labels: Integer[Tensor, "B T H W"], step: int
    ) -> Float[Tensor, ""]:
        """The loss at a step of training; padded slots of `logits` are -inf and never a label."""
        pixels = F.cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1).long(), reduction="none").flatten(1)
        count = max(1, round(self.share_at(step) * pixels.shape[1]))
        hardest = pixels if count == pixels.shape[1] else pixels.topk(count, dim=1, sorted=False).values
        return hardest.mean(dim=1).unflatten(0, labels.shape[:2]).mean(dim=0).sum()


class WithOverlap(nn.Module):
    """A loss by pixels plus one minus the soft Jaccard index of each object.

    With cross entropy only, a network that is unsure where an object went learns to predict background everywhere. The
    overlap weighs every object alike, whatever its size.

    Args:
        pixels: the loss by pixels.
        weight: weight of the overlap, a mean over the objects of a frame and over clips, and a sum over frames.
    """

    def __init__(self, pixels: nn.Module, weight: float):
        super().__init__()
        self.pixels, self.weight = pixels, weight

    def forward(
        self, logits: Float[Tensor, "B T K1 H W"], labels: Integer[Tensor, "B T H W"], step: int
    ) -> Float[Tensor, ""]:
        """The loss at a step; padded slots of `logits` are -inf and never a label."""
        probs = logits.softmax(dim=2)[:, :, 1:]
        truth = one_hot(labels.flatten(0, 1), probs.shape[2]).to(probs.dtype).unflatten(0, labels.shape[:2])
        shared = (probs * truth).sum(dim=(3, 4))
        size = truth.sum(dim=(3, 4))
        jaccard = shared / (probs.sum(dim=(3, 4)) + size - shared).clamp(min=1)
        seen = size > 0  # an object out of view has no overlap
        missed = ((1 - jaccard) * seen).sum(dim=2) / seen.sum(dim=2).clamp(min=1)
        return self.pixels(logits, labels, step) + self.weight * missed.mean(dim=0).sum()


def divergence(full: Float[Tensor, "B T K1 H W"], other: Float[Tensor, "B T K1 H W"]) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence from `full` to `other`, the mean over pixels, frames and clips.

    Args:
        full: reference logits, which get no gradient.
        other: logits; padded slots are -inf in both.
    """
    used = full.isfinite() & other.isfinite()
    expected, found = full.detach().log_softmax(dim=2), other.log_softmax(dim=2)
    gaps = torch.where(used, expected, 0.0) - torch.where(used, found, 0.0)
    return (expected.exp() * gaps).sum(dim=2).mean()


def matching_loss(
    carried: Float[Tensor, "O T h w"], expected: Float[Tensor, "O T h w"], batch_size: int
) -> Float[Tensor, ""]:
    """Cross entropy between the masks read from the memory and the true masks, cell by cell.

    It supervises the keys directly, which the main loss reaches only through the values and the decoder. Not in the
    paper; helps if there are few clips.

    Args:
        carried: masks of memory frames, read from the memory in place of the values; in [0, 1].
        expected: true masks, averaged over cells; in [0, 1].
        batch_size: number of clips. The loss is a mean over cells and a sum over objects and frames, divided by it, so
            that shares of a batch average to the whole.
    """
    if not len(carried):
        return carried.sum()
    with torch.autocast(carried.device.type, enabled=False):  # autocast refuses this loss
        # Rescaled, not clamped: a clamp has no gradient where the match is worst.
        inside = LEAST_CARRIED + (1 - 2 * LEAST_CARRIED) * carried.float()
        cells = F.binary_cross_entropy(inside, expected.float(), reduction="none")
    return cells.mean(dim=(2, 3)).sum() / batch_size
