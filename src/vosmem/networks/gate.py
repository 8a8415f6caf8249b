"""The gate of the dynamic memory: how many of the remembered frames stay."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 32
START = 2.0  # a frame stays with a probability of 0.88 before anything is learnt
LONG = 100  # frames taken into memory after which one counts as old
SAME = 1e-4  # novelty below which frames count as the same
USUAL = 2.0  # frames that follow each other have a novelty of about 10^-2


class MemoryGate(nn.Module):
    """Says for frames in the order of their novelty how likely each is worth its room; the sum is how many stay.

    In training a soft mask over the ranks takes the place of removal, so that the number has a gradient; at inference
    the frames of the last ranks go.

    Args:
        max_frames: a memory of so many frames counts as full.

    Source:
        REMN's abstract: a lightweight differentiable soft modulation gate says how many features to remove. Its form is
        this project's.
    """

    def __init__(self, max_frames: int = 10):
        super().__init__()
        self.max_frames = max_frames
        self.hidden = nn.Linear(5, HIDDEN)
        self.stays = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.stays.weight)
        nn.init.constant_(self.stays.bias, START)

    def forward(
        self,
        novelty: Float[Tensor, "B T"],
        usage: Float[Tensor, "B T"],
        age: Float[Tensor, "B T"],
        num_fixed: int,
    ) -> Float[Tensor, "B"]:
        """Frames that stay, the fixed ones among them; a fraction, differentiable.

        Args:
            novelty: of the frames in the order of their ranks, as `ops.novelty.rank` gives it.
            usage: mean share of the attention that each got, in [0, 1].
            age: frames taken into memory since.
            num_fixed: the first so many ranks stay in any case.
        """
        num_frames = novelty.shape[1]
        ranks = torch.arange(1, num_frames + 1, device=novelty.device, dtype=novelty.dtype).expand_as(novelty)
        fullness = torch.full_like(novelty, num_frames / self.max_frames)
        # From 10^-3 for a frame that comes again to 10^-1 for a turned object: their order of magnitude is what tells.
        scale = torch.log10(novelty + SAME) + USUAL
        seen = torch.stack([scale, ranks / num_frames, fullness, usage, age / LONG], dim=2)
        with torch.autocast(novelty.device.type, enabled=False):
            stays = torch.sigmoid(self.stays(F.relu(self.hidden(seen[:, num_fixed:].to(self.stays.weight.dtype)))))
        return num_fixed + stays.squeeze(2).sum(dim=1)


def log_mask(count: Float[Tensor, "B"], num_frames: int, num_fixed: int, temperature: float) -> Float[Tensor, "B T"]:
    """What is added to the affinity of each rank: 0 for those that stay, towards -inf for those beyond the count.

    Args:
        count: how many stay, as a fraction.
        num_frames: number of ranks (T).
        num_fixed: the first so many ranks get 0.
        temperature: how soft the edge is, in ranks; towards 0 this is removal of the ranks above the rounded count.
    """
    ranks = torch.arange(1, num_frames + 1, device=count.device, dtype=count.dtype)
    soft = F.logsigmoid((count[:, None] - ranks + 0.5) / temperature)
    return torch.where(ranks <= num_fixed, 0.0, soft)
