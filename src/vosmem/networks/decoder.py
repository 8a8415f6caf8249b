"""Decoders: what was read from memory, sharpened by the query's features, becomes a mask. STM's, and their base."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)


def upsample(x: Float[Tensor, "O C H W"], factor: int) -> Float[Tensor, "O C H2 W2"]:
    """Bilinear upsampling by a factor."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def foreground_probability(logit: Float[Tensor, "O 1 h4 w4"]) -> Float[Tensor, "O H W"]:
    """The sigmoid of a logit at stride 4, upsampled to pixels; at least float32."""
    pixels = upsample(logit, 4).squeeze(1)
    return torch.sigmoid(pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels)


class ResBlock(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions, without batch norm: `x + conv2(relu(conv1(relu(x))))`.

    Args:
        in_channels: channels of its input.
        channels: channels of its output; where they differ, `x` passes a 3x3 convolution of its own.
    """

    def __init__(self, in_channels: int, channels: int | None = None):
        super().__init__()
        channels = in_channels if channels is None else channels
        self.downsample = None if channels == in_channels else conv3x3(in_channels, channels)
        self.conv1 = conv3x3(in_channels, channels)
        self.conv2 = conv3x3(channels, channels)

    def forward(self, x: Float[Tensor, "O Cin H W"]) -> Float[Tensor, "O C H W"]:
        """Same size."""
        # In place where nothing else needs the tensor, not even its gradient: allocating large maps costs time.
        residual = self.conv2(F.relu(self.conv1(F.relu(x)), inplace=True))
        return residual.add_(x if self.downsample is None else self.downsample(x))

    def shared_half(self, x: Float[Tensor, "B Cs H W"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
        """What the last channels of the input give to both first convolutions, with their biases.

        Args:
            x: the last channels of the input, the part that several inputs have in common.
        """
        assert self.downsample is not None  # the input has more channels than the output
        convs, inputs = (self.conv1, self.downsample), (F.relu(x), x)
        first, direct = (
            F.conv2d(part, conv.weight[:, -x.shape[1] :], conv.bias, padding=1)
            for part, conv in zip(inputs, convs, strict=True)
        )
        return first, direct

    def with_shared_half(
        self, x: Float[Tensor, "O Co H W"], first: Float[Tensor, "O C H W"], direct: Float[Tensor, "O C H W"]
    ) -> Float[Tensor, "O C H W"]:
        """The block's output for an input whose last channels went through `shared_half`.

        Args:
            x: the first channels of the input.
            first: as `shared_half` returned it.
            direct: as `shared_half` returned it.
        """
        assert self.downsample is not None  # the input has more channels than the output
        own = self.conv1.weight[:, : x.shape[1]], self.downsample.weight[:, : x.shape[1]]
        hidden = F.conv2d(F.relu(x), own[0], padding=1).add_(first)
        residual = self.conv2(F.relu(hidden, inplace=True))
        return residual.add_(F.conv2d(x, own[1], padding=1)).add_(direct)


class Skip(nn.Module):
    """The branch of a refinement stage that sees the query frame alone, so that all objects can share it."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.conv = conv3x3(in_channels, channels)
        self.block = ResBlock(channels)

    def forward(self, features: Float[Tensor, "B Cin H W"]) -> Float[Tensor, "B C H W"]:
        """Backbone features, brought to the decoder's width."""
        return self.block(self.conv(features))


class ObjectDecoder(nn.Module, ABC):
    """Decodes the read-out of each object; what depends on the query alone is computed once a frame."""

    def forward(
        self,
        readout: Float[Tensor, "O Cv h w"],
        query_value: Float[Tensor, "B Cv h w"],
        f8: Float[Tensor, "B C8 h8 w8"],
        f4: Float[Tensor, "B C4 h4 w4"],
        owners: Int[Tensor, "O"],
    ) -> Float[Tensor, "O H W"]:
        """Foreground probability of each object in [0, 1], at 16 times the size of the read-out.

        Args:
            readout: what each object read from its memory.
            query_value: value of the frame, shared by the objects of a clip.
            f8: query features at stride 8.
            f4: query features at stride 4.
            owners: the clip (row of the other arguments) that each object belongs to.
        """
        shared = self._of_query(query_value, f8, f4)
        # Without gradients one object at a time: its maps are the largest there are, and none of them has to stay.
        rows = [(readout, owners)]
        if not torch.is_grad_enabled():
            rows = list(zip(readout.split(1), owners.split(1), strict=True))
        parts = [self._decode(part, [of_owners(own, of) for own in shared]) for part, of in rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @abstractmethod
    def _of_query(self, query_value: Tensor, f8: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        """Everything that depends on the query alone."""

    @abstractmethod
    def _decode(self, readout: Float[Tensor, "O Cv h w"], shared: Sequence[Tensor]) -> Float[Tensor, "O H W"]:
        """Foreground probability, from the read-out and what `_of_query` returned for its frames."""


class Decoder(ObjectDecoder):
    """Two refinement stages from stride 16 to stride 4, then bilinear upsampling to pixels.

    Args:
        value_channels: channels of the values (the input has twice as many: read-out, then query value).
        f8_channels: channels of the query's stride-8 features.
        f4_channels: channels of its stride-4 features.
        channels: width of the decoder (256 in the paper).

    Source:
        STM section 3.4; the order read-out, query value is the published code's.
    """

    def __init__(self, value_channels: int, f8_channels: int, f4_channels: int, channels: int):
        super().__init__()
        self.fuse = conv3x3(2 * value_channels, channels)
        self.fuse_block = ResBlock(channels)
        self.skip8, self.block8 = Skip(f8_channels, channels), ResBlock(channels)
        self.skip4, self.block4 = Skip(f4_channels, channels), ResBlock(channels)
        self.predict = conv3x3(channels, 2)

    def _of_query(self, query_value: Tensor, f8: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        """The skips, and the half of the first convolution that sees the query alone."""
        return self._fuse_query(query_value), self.skip8(f8), self.skip4(f4)

    def _decode(self, readout: Float[Tensor, "O Cv h w"], shared: Sequence[Tensor]) -> Float[Tensor, "O H W"]:
        query_half, skip8, skip4 = shared
        x = self.fuse_block(self._fuse_readout(readout).add_(query_half))
        x = self.block8(upsample(x, 2).add_(skip8))
        x = self.block4(upsample(x, 2).add_(skip4))
        background, foreground = self.predict(F.relu(x)).unbind(dim=1)
        # A softmax over two channels is the sigmoid of their difference, and upsampling is linear: one map will do.
        return foreground_probability((foreground - background).unsqueeze(1))

    def _fuse_readout(self, readout: Float[Tensor, "O Cv h w"]) -> Float[Tensor, "O C h w"]:
        """The first half of `fuse`'s input channels."""
        return F.conv2d(readout, self.fuse.weight[:, : readout.shape[1]], padding=1)

    def _fuse_query(self, query_value: Float[Tensor, "B Cv h w"]) -> Float[Tensor, "B C h w"]:
        """The second half, and the bias."""
        return F.conv2d(query_value, self.fuse.weight[:, -query_value.shape[1] :], self.fuse.bias, padding=1)


def of_owners(shared: Float[Tensor, "B C H W"], owners: Int[Tensor, "O"]) -> Float[Tensor, "O C H W"]:
    """The rows of the objects' frames; those of a lone frame as a view."""
    return shared.expand(owners.shape[0], *shared.shape[1:]) if shared.shape[0] == 1 else shared[owners]
