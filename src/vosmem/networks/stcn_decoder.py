"""STCN's decoder."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.networks.decoder import ObjectDecoder, ResBlock, conv3x3, foreground_probability, upsample


class STCNDecoder(ObjectDecoder):
    """A residual block at stride 16, and one after each of two upsamplings to which a skip convolution is added.

    The input is the readout and the query value; `channels` is the width at strides 8 and 4 (256 in the published
    network), half of that at stride 16.

    Source:
        STCN (Cheng et al., NeurIPS 2021), section 3.1, and the names and shapes of its published weights.
    """

    def __init__(self, value_channels: int, f8_channels: int, f4_channels: int, channels: int):
        super().__init__()
        self.compress = ResBlock(2 * value_channels, 2 * channels)
        self.skip8, self.block8 = conv3x3(f8_channels, 2 * channels), ResBlock(2 * channels, channels)
        self.skip4, self.block4 = conv3x3(f4_channels, channels), ResBlock(channels)
        self.predict = conv3x3(channels, 1)

    def _of_query(self, query_value: Tensor, f8: Tensor, f4: Tensor) -> tuple[Tensor, ...]:
        return *self.compress.shared_half(query_value), self.skip8(f8), self.skip4(f4)

    def _decode(self, readout: Float[Tensor, "O Cv h w"], shared: Sequence[Tensor]) -> Float[Tensor, "O H W"]:
        first, direct, skip8, skip4 = shared
        x = self.compress.with_shared_half(readout, first, direct)
        x = self.block8(upsample(x, 2).add_(skip8))
        x = self.block4(upsample(x, 2).add_(skip4))
        return foreground_probability(self.predict(F.relu(x)))
