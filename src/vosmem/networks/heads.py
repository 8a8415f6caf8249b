"""Key and value heads."""

from jaxtyping import Float
from torch import Tensor, nn


class KeyValueHead(nn.Module):
    """Two 3x3 convolutions: stride-16 features become a key for matching (C/8 in the paper) and a value (C/2).

    Source:
        STM section 3.1.
    """

    def __init__(self, in_channels: int, key_channels: int, value_channels: int):
        super().__init__()
        self.key = nn.Conv2d(in_channels, key_channels, kernel_size=3, padding=1)
        self.value = nn.Conv2d(in_channels, value_channels, kernel_size=3, padding=1)

    def forward(self, f16: Float[Tensor, "O C h w"]) -> tuple[Float[Tensor, "O Ck h w"], Float[Tensor, "O Cv h w"]]:
        """Return key and value of every cell; no non-linearity is applied."""
        return self.key(f16), self.value(f16)
