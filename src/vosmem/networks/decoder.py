"""Decoders: the memory readout, refined by the query's features, becomes a mask. STM's decoder, and the base class."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vosmem.ops.chunks import split_objects
from vosmem.ops.padding import STRIDE


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Make a 3x3 convolution that keeps the size."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)


def upsample(x: Float[Tensor, "O C H W"], factor: int) -> Float[Tensor, "O C H2 W2"]:
    """Upsample bilinearly."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def foreground_probability(logit: Float[Tensor, "O 1 h4 w4"]) -> Float[Tensor, "O H W"]:
    """Upsample a logit at stride 4 to pixels and apply the sigmoid, in float32 or more."""
    pixels = upsample(logit, 4).squeeze(1)
    return torch.sigmoid(pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels)


class ResBlock(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions, without batch norm: `x + conv2(relu(conv1(relu(x))))`.

    If the number of channels changes, `x` passes a 3x3 convolution of its own.
    """

    def __init__(self, in_channels: int, channels: int | None = None):
        super().__init__()
        channels = in_channels if channels is None else channels
        self.downsample = None if channels == in_channels else conv3x3(in_channels, channels)
        self.conv1 = conv3x3(in_channels, channels)
        self.conv2 = conv3x3(channels, channels)

    def forward(self, x: Float[Tensor, "O Cin H W"]) -> Float[Tensor, "O C H W"]:
        """Return the output of the block."""
        # In place where nothing else needs the tensor, not even its gradient: allocating large maps costs time.
        residual = self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True))
        return residual.add_(x if self.downsample is None else self.downsample(x))

    def shared_half(self, x: Float[Tensor, "B Cs H W"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
        """Apply `conv1` and `downsample` to the last channels of the input, which several inputs share."""
        assert self.downsample is not None  # the input has more channels than the output
        first, direct = (
            F.conv2d(part, conv.weight[:, -x.shape[1] :], conv.bias, padding=1)
            for part, conv in ((F.relu(x), self.conv1), (x, self.downsample))
        )
        return first, direct

    def with_shared_half(
        self, x: Float[Tensor, "O Co H W"], first: Float[Tensor, "O C H W"], direct: Float[Tensor, "O C H W"]
    ) -> Float[Tensor, "O C H W"]:
        """Return the output for an input whose first channels are `x`; `shared_half` made the rest of the last ones."""
        assert self.downsample is not None  # the input has more channels than the output
        own = self.conv1.weight[:, : x.shape[1]], self.downsample.weight[:, : x.shape[1]]
        hidden = F.conv2d(F.relu(x), own[0], padding=1).add_(first)
        residual = self.conv2(F.relu(hidden, inplace=True))
        return residual.add_(F.conv2d(x, own[1], padding=1)).add_(direct)


class Skip(nn.Module):
    """The branch of a refinement stage that depends on the query frame only, so all objects share it."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.conv = conv3x3(in_channels, channels)
        self.block = ResBlock(channels)

    def forward(self, features: Float[Tensor, "B Cin H W"]) -> Float[Tensor, "B C H W"]:
        """Project backbone features to the width of the decoder."""
        return self.block(self.conv(features))


class ObjectDecoder(nn.Module, ABC):
    """Decodes the readout of each object; what depends on the query only is computed once a frame."""

    def forward(
        self,
        readout: Float[Tensor, "O Cv h w"],
        query_value: Float[Tensor, "B Cv h w"],
        f8: Float[Tensor, "B C8 h8 w8"],
        f4: Float[Tensor, "B C4 h4 w4"],
        owners: Int[Tensor, "O"],
    ) -> Float[Tensor, "O H W"]:
        """Return the foreground probability of each object, in [0, 1] and at 16 times the size of the readout.

        `query_value`, `f8` and `f4` have a row for each frame, `owners` is the index of each object's frame.
        """
        shared = self._of_query(query_value, f8, f4)
        height, width = readout.shape[2:]
        rows = split_objects(height * width * STRIDE**2, readout, owners)
        parts = [self._decode(part, [of_owners(own, of) for own in shared]) for part, of in rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @abstractmethod
    def _of_query(self, query_value: Tensor, f8: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        """Compute what depends on the query only."""

    @abstractmethod
    def _decode(self, readout: Float[Tensor, "O Cv h w"], shared: Sequence[Tensor]) -> Float[Tensor, "O H W"]:
        """Compute the foreground probability from the readout and the results of `_of_query`."""


class Decoder(ObjectDecoder):
    """Two refinement stages from stride 16 to stride 4, then bilinear upsampling to pixels.

    The input is the readout and the query value; `channels` is the width of the decoder (256 in the paper).

    Source:
        STM section 3.4; the order of readout and query value is the published code's.
    """

    def __init__(self, value_channels: int, f8_channels: int, f4_channels: int, channels: int):
        super().__init__()
        self.fuse = conv3x3(2 * value_channels, channels)
        self.fuse_block = ResBlock(channels)
        self.skip8, self.block8 = Skip(f8_channels, channels), ResBlock(channels)
        self.skip4, self.block4 = Skip(f4_channels, channels), ResBlock(channels)
        self.predict = conv3x3(channels, 2)

    def _of_query(self, query_value: Tensor, f8: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        weight = self.fuse.weight[:, -query_value.shape[1] :]  # the half of `fuse` that sees the query
        return F.conv2d(query_value, weight, self.fuse.bias, padding=1), self.skip8(f8), self.skip4(f4)

    def _decode(self, readout: Float[Tensor, "O Cv h w"], shared: Sequence[Tensor]) -> Float[Tensor, "O H W"]:
        query_half, skip8, skip4 = shared
        readout_half = F.conv2d(readout, self.fuse.weight[:, : readout.shape[1]], padding=1)
        x = self.fuse_block(readout_half.add_(query_half))
        x = self.block8(upsample(x, 2).add_(skip8))
        x = self.block4(upsample(x, 2).add_(skip4))
        background, foreground = self.predict(F.relu(x)).unbind(dim=1)
        # A softmax over two channels is the sigmoid of their difference, and upsampling is linear: one map will do.
        return foreground_probability((foreground - background).unsqueeze(1))


def of_owners(shared: Float[Tensor, "B *S"], owners: Int[Tensor, "O"]) -> Float[Tensor, "O *S"]:
    """Repeat the row of each object's frame; for a single frame as a view, so that a read sees equal rows."""
    return shared.expand(owners.shape[0], *shared.shape[1:]) if shared.shape[0] == 1 else shared[owners]
