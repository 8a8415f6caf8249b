"""Fusion of a shared key encoder's features with an object's own into the value that is memorised."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vosmem.networks.decoder import ResBlock, of_owners

REDUCTION = 16  # of the channel attention's hidden layer


class ChannelAndSpatialAttention(nn.Module):
    """Weighs channels by their means and maxima over the frame, then cells by theirs over the channels.

    Source:
        CBAM (Woo et al., ECCV 2018).
    """

    def __init__(self, channels: int):
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = nn.Conv2d(2, 1, kernel_size=7, padding=3)

    def forward(self, x: Float[Tensor, "O C h w"]) -> Float[Tensor, "O C h w"]:
        """Multiply every entry by two weights in (0, 1)."""
        weights = self.channel(x.mean(dim=(2, 3))) + self.channel(x.amax(dim=(2, 3)))
        x = x * weights.sigmoid()[:, :, None, None]
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * self.spatial(summary).sigmoid()


class ValueFusion(nn.Module):
    """Fuses an object's features with the frame's into a value.

    With `share_frame`, the frame's share of the first convolutions is computed once a frame instead of once an object:
    the same values, to rounding.

    Source:
        STCN (Cheng et al., NeurIPS 2021).
    """

    def __init__(self, object_channels: int, frame_channels: int, value_channels: int, share_frame: bool = False):
        super().__init__()
        self.share_frame = share_frame
        self.reduce = ResBlock(object_channels + frame_channels, value_channels)
        self.attention = ChannelAndSpatialAttention(value_channels)
        self.block = ResBlock(value_channels)

    def forward(
        self, objects: Float[Tensor, "O C1 h w"], frames: Float[Tensor, "B C2 h w"], owners: Int[Tensor, "O"]
    ) -> Float[Tensor, "O Cv h w"]:
        """Return the value of every cell; `owners` is the index of each object's frame."""
        if self.share_frame:
            shared = (of_owners(part, owners) for part in self.reduce.shared_half(frames))
            x = self.reduce.with_shared_half(objects, *shared)
        else:
            x = self.reduce(torch.cat([objects, frames[owners]], dim=1))
        return self.block(x + self.attention(x))
