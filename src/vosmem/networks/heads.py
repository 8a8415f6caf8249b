"""Key and value heads."""

from jaxtyping import Float
from torch import Tensor, nn


class KeyValueHead(nn.Module):
    """Two 3x3 convolutions that turn stride-16 features into a key for matching and a value for the mask.

    Args:
        in_channels: channels of the features (C).
        key_channels: width of the key (C/8 in the paper).
        value_channels: width of the value (C/2 in the paper).

    Source:
        STM section 3.1.
    """

    def __init__(self, in_channels: int, key_channels: int, value_channels: int):
        super().__init__()
        self.key = nn.Conv2d(in_channels, key_channels, kernel_size=3, padding=1)
        self.value = nn.Conv2d(in_channels, value_channels, kernel_size=3, padding=1)

    def forward(self, f16: Float[Tensor, "O C h w"]) -> tuple[Float[Tensor, "O Ck h w"], Float[Tensor, "O Cv h w"]]:
        """Key and value of every cell, without a non-linearity."""
        return self.key(f16), self.value(f16)
