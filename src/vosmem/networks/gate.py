"""The gate of the dynamic memory bank: the number of frames that stay in memory."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 32
INITIAL_BIAS = 2.0  # an untrained gate keeps each frame with a probability of 0.88
OLD = 100  # age that is scaled to 1
MIN_NOVELTY = 1e-4  # added before the logarithm
NOVELTY_SHIFT = 2.0  # adjacent frames have a novelty of about 10^-2


class MemoryGate(nn.Module):
    """Predicts for frames ranked by novelty the probability that each stays; the sum is the number that stays.

    In training a soft mask over the ranks replaces eviction, so that the number has a gradient (`log_mask`); at
    inference the frames of the last ranks are evicted.

    Args:
        max_frames: number of frames at which the memory counts as full.

    Source:
        REMN's abstract: a lightweight differentiable soft modulation gate predicts how many features to remove. Its
        form is this project's.
    """

    def __init__(self, max_frames: int = 10):
        super().__init__()
        self.max_frames = max_frames
        self.hidden = nn.Linear(5, HIDDEN)
        self.stays = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.stays.weight)
        nn.init.constant_(self.stays.bias, INITIAL_BIAS)

    def forward(
        self,
        novelty: Float[Tensor, "B T"],
        usage: Float[Tensor, "B T"],
        age: Float[Tensor, "B T"],
        num_fixed: int,
    ) -> Float[Tensor, "B"]:
        """Return the number of frames that stay, fixed ones included; a fraction, differentiable.

        The arguments are those of `vosmem.memory.eviction.Ranking`.
        """
        num_frames = novelty.shape[1]
        ranks = torch.arange(1, num_frames + 1, device=novelty.device, dtype=novelty.dtype).expand_as(novelty)
        fullness = torch.full_like(novelty, num_frames / self.max_frames)
        # The order of magnitude matters: 10^-3 for a repeated frame, 10^-1 for an object that has turned.
        scale = torch.log10(novelty + MIN_NOVELTY) + NOVELTY_SHIFT
        inputs = torch.stack([scale, ranks / num_frames, fullness, usage, age / OLD], dim=2)
        with torch.autocast(novelty.device.type, enabled=False):
            stays = torch.sigmoid(self.stays(F.relu(self.hidden(inputs[:, num_fixed:].to(self.stays.weight.dtype)))))
        return num_fixed + stays.squeeze(2).sum(dim=1)


def log_mask(count: Float[Tensor, "B"], num_frames: int, num_fixed: int, temperature: float) -> Float[Tensor, "B T"]:
    """Return the term added to the affinity of each rank: 0 for ranks that stay, towards -inf beyond the count.

    Args:
        count: number of frames that stay, a fraction.
        num_frames: number of ranks (T).
        num_fixed: number of leading ranks, which get 0.
        temperature: width of the edge in ranks; towards 0 the mask evicts the ranks above the rounded count.
    """
    ranks = torch.arange(1, num_frames + 1, device=count.device, dtype=count.dtype)
    soft = F.logsigmoid((count[:, None] - ranks + 0.5) / temperature)
    return torch.where(ranks <= num_fixed, 0.0, soft)
