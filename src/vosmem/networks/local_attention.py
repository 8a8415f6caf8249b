"""Local attention: a network looks for objects near where they were in the frame before."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.ops.locality import cells, nearness, presence, union
from vosmem.shapes import Prior

REDUCED = 64  # channels of the features that the gate sees
HIDDEN = 32


@dataclass(frozen=True)
class LocalAttention:
    """How much a network cares where the objects were. Without a frame before, or with an object lost, it does not.

    The paper's abstracts say no more than that the previous mask enhances the features of the foreground, or suppresses
    those of the background: both forms here are this project's.

    Args:
        strength: greatest share by which a cell's features are raised or lowered before they become keys, in [0, 1); by
            filters that are trained and start as nothing. 0 leaves the features.
        locality: what is taken off the affinity between a memory cell of an object and a query cell that is far from
            all objects; needs no training. 0 leaves the affinity.
        radius: of the neighbourhood, in cells of 16 pixels, for objects that stand still.
        max_radius: the same for the fastest.

    Raises:
        InputError: a number is out of its range.
    """

    strength: float = 0.0
    locality: float = 0.0
    radius: int = 2
    max_radius: int = 6

    def __post_init__(self) -> None:
        if not 0 <= self.strength < 1:
            raise InputError(f"local_attention.strength={self.strength} is not possible: use 0 (off) or more, below 1")
        if self.locality < 0:
            raise InputError(f"local_attention.locality={self.locality} is not possible: use 0 (off) or more")
        if not 0 <= self.radius <= self.max_radius:
            raise InputError(
                f"local_attention.radius={self.radius} with max_radius={self.max_radius} is not possible: use 0 or "
                f"more, and no less for the latter"
            )

    @property
    def on(self) -> bool:
        """Whether it does anything."""
        return self.strength > 0 or self.locality > 0

    @torch.no_grad()
    def far(self, prior: Prior | None) -> Float[Tensor, "B h w"] | None:
        """How far each cell is from where the objects were, in [0, 1]; None where the affinity is left as it is."""
        if not self.locality or prior is None:
            return None
        return presence(prior)[:, None, None] * (1 - nearness(prior, self.radius, self.max_radius))

    @torch.no_grad()
    def marked(self, key: Float[Tensor, "B Ck h w"], masks: Float[Tensor, "B K H W"]) -> Float[Tensor, "B Cm h w"]:
        """Memory keys with a channel more that marks the cells of objects, or as they are."""
        if not self.locality:
            return key
        return torch.cat([key, union(cells(masks))[:, None].to(key.dtype)], dim=1)


class Modulation(nn.Module):
    """Raises or lowers the features of each cell by what they are and where the objects were.

    Starts as the identity, and is the identity with an object lost.

    Args:
        channels: channels of the features.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.reduce = nn.Conv2d(channels, REDUCED, kernel_size=1)
        self.mix = nn.Conv2d(REDUCED + 2, HIDDEN, kernel_size=3, padding=1)
        self.gain = nn.Conv2d(HIDDEN, 1, kernel_size=3, padding=1)
        nn.init.zeros_(self.gain.weight)
        assert self.gain.bias is not None  # made with one above
        nn.init.zeros_(self.gain.bias)

    def forward(
        self, f16: Float[Tensor, "B C h w"], prior: Prior, attention: LocalAttention
    ) -> Float[Tensor, "B C h w"]:
        """The features times a number within `attention.strength` of 1, the same for all channels of a cell."""
        with torch.no_grad():
            near = nearness(prior, attention.radius, attention.max_radius)
            where = torch.stack([union(prior.masks), near], dim=1).to(f16.dtype)
            seen = attention.strength * presence(prior)[:, None, None, None].to(f16.dtype)
        hidden = F.relu(self.mix(torch.cat([self.reduce(f16), where], dim=1)))
        return f16 * (1 + seen * torch.tanh(self.gain(hidden)))
