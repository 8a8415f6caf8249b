"""Local attention: a network searches for objects near the previous masks."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.ops.locality import cells, nearness, presence, union
from vosmem.shapes import Prior

REDUCED = 64  # channels of the features in the modulation
HIDDEN = 32


@dataclass(frozen=True)
class LocalAttention:
    """Strength of local attention. It has no effect without a previous frame, or while an object is lost.

    The paper's abstracts only say that the previous mask enhances the features of the foreground, or suppresses those
    of the background: both forms here are this project's.

    Args:
        strength: largest share by which features are raised or lowered before they become keys, in [0, 1). Trained
            filters (`Modulation`) choose the share. 0 leaves the features as they are.
        locality: penalty on the affinity between memory cells of objects and query cells far from the previous masks;
            needs no training. 0 leaves the affinity as it is.
        radius: radius of the neighbourhood of objects that do not move, in cells of 16 pixels.
        max_radius: radius for the fastest objects.

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
                "more for the first, and a second that is not smaller"
            )

    @property
    def on(self) -> bool:
        """Whether it has any effect."""
        return self.strength > 0 or self.locality > 0

    @torch.no_grad()
    def far(self, prior: Prior | None) -> Float[Tensor, "B h w"] | None:
        """Return the distance of each cell from the previous masks, in [0, 1]; None if there is no penalty."""
        if not self.locality or prior is None:
            return None
        return presence(prior)[:, None, None] * (1 - nearness(prior, self.radius, self.max_radius))

    @torch.no_grad()
    def marked(self, key: Float[Tensor, "B Ck h w"], masks: Float[Tensor, "B K H W"]) -> Float[Tensor, "B Cm h w"]:
        """Append a channel to memory keys that marks the cells of objects, if there is a penalty."""
        if not self.locality:
            return key
        return torch.cat([key, union(cells(masks))[:, None].to(key.dtype)], dim=1)


class Modulation(nn.Module):
    """Raises or lowers the features of each cell, depending on the features and the previous masks.

    It starts as the identity, and is the identity while an object is lost.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.reduce = nn.Conv2d(channels, REDUCED, kernel_size=1)
        self.mix = nn.Conv2d(REDUCED + 2, HIDDEN, kernel_size=3, padding=1)
        self.gain = nn.Conv2d(HIDDEN, 1, kernel_size=3, padding=1)
        nn.init.zeros_(self.gain.weight)
        assert self.gain.bias is not None  # the default of Conv2d
        nn.init.zeros_(self.gain.bias)

    def forward(
        self, f16: Float[Tensor, "B C h w"], prior: Prior, attention: LocalAttention
    ) -> Float[Tensor, "B C h w"]:
        """Multiply all channels of a cell by a number within `attention.strength` of 1."""
        with torch.no_grad():
            near = nearness(prior, attention.radius, attention.max_radius)
            where = torch.stack([union(prior.masks), near], dim=1).to(f16.dtype)
            strength = attention.strength * presence(prior)[:, None, None, None].to(f16.dtype)
        hidden = F.relu(self.mix(torch.cat([self.reduce(f16), where], dim=1)))
        return f16 * (1 + strength * torch.tanh(self.gain(hidden)))
