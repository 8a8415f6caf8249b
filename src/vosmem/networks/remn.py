"""REMN, the Robust and Efficient Memory Network (Chen et al., 2023): the network and where its parts are.

The paper's abstracts name three parts beyond a memory network, which docs/explanation/remn.md describes:

* local attention, around the previous masks: `vosmem.networks.local_attention` on `vosmem.ops.locality`;
* adaptive update, a frame is kept if objects have changed: `vosmem.memory.policy.Adaptive` on `vosmem.ops.variation`;
* dynamic bank, a gate predicts how many frames stay: `vosmem.networks.gate`, on the ranking of `vosmem.memory.eviction`
  and `vosmem.ops.novelty`; trained by `vosmem.training.gating`.

The abstracts do not describe the base network, and the paper was not available: this project uses STCN's base.
Configs: `model=remn`, `local_attention=...`, `memory=adaptive_dynamic`, `phase=gate`.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import Backbone
from vosmem.networks.backbones import load_backbone_weights, make_backbone
from vosmem.networks.conventions import Conventions
from vosmem.networks.decoder import Decoder, of_owners
from vosmem.networks.fusion import ValueFusion
from vosmem.networks.gate import MemoryGate
from vosmem.networks.local_attention import LocalAttention, Modulation
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.stcn_decoder import STCNDecoder
from vosmem.ops.attention import MemoryReadConfig
from vosmem.ops.locality import cells
from vosmem.ops.masks import pack
from vosmem.shapes import Memory, Prior, Query

VALUE_BACKBONE = "resnet18"
DECODERS = {"stm": Decoder, "stcn": STCNDecoder}


class REMN(MemoryNetwork):
    """One key encoder for query and memory, a light value encoder for each object, and matching by distance.

    Query and memory keys are one function of the frame, so equal cells match from the first step, and all objects of a
    frame share their keys.

    Args:
        backbone: backbone of the key encoder, as in `make_backbone`.
        key_channels: width of the keys.
        value_channels: width of the values.
        decoder_channels: width of the decoder.
        decoder: `stm` or `stcn`; the published STCN weights need the latter.
        weights: initial weights of the key encoder, as in `load_backbone_weights`.
        value_weights: initial weights of the value encoder (a ResNet-18).
        train_affine: whether the batch norms' scale and shift are trained.
        local_attention: strength of local attention; none by default.
        gate: whether the network has a gate for the dynamic bank; it starts untrained.
        conventions: inference settings that belong to the network; the published STM's by default.

    Raises:
        InputError: the backbone or decoder is unknown, or the weights cannot be used.

    Source:
        STCN (Cheng et al., NeurIPS 2021), sections 3.1 to 3.3.

    Example:
        >>> widths = {"key_channels": 16, "value_channels": 32, "decoder_channels": 16}
        >>> network = REMN(backbone="resnet18", **widths, weights="none", value_weights="none")
        >>> frames, masks = torch.rand(1, 3, 32, 48), torch.ones(1, 2, 32, 48) / 2
        >>> memory = network.encode_memory(frames, masks)
        >>> network.segment(network.encode_query(frames), memory).shape
        torch.Size([1, 3, 32, 48])
    """

    memorizes_queries = True
    similarity = "l2"

    def __init__(
        self,
        *,
        backbone: str,
        key_channels: int,
        value_channels: int,
        decoder_channels: int,
        weights: str,
        value_weights: str,
        decoder: str = "stm",
        train_affine: bool = True,
        local_attention: LocalAttention | None = None,
        gate: bool = False,
        conventions: Conventions | None = None,
    ):
        if decoder not in DECODERS:
            raise InputError(f"unknown decoder {decoder!r}: use {' or '.join(DECODERS)}")
        super().__init__()
        self.key_encoder = make_backbone(backbone, train_affine=train_affine)
        self.value_encoder = make_backbone(VALUE_BACKBONE, num_mask_channels=2, train_affine=train_affine)
        f4_channels, f8_channels, f16_channels = self.key_encoder.channels
        self.key = nn.Conv2d(f16_channels, key_channels, kernel_size=3, padding=1)
        self.query_value = nn.Conv2d(f16_channels, value_channels, kernel_size=3, padding=1)
        # `share_frame` changes the rounding: networks with STM's decoder keep the arithmetic of their training.
        self.fusion = ValueFusion(self.value_encoder.channels[-1], f16_channels, value_channels, decoder == "stcn")
        self.decoder = DECODERS[decoder](value_channels, f8_channels, f4_channels, decoder_channels)
        if conventions is not None:
            self.conventions = conventions
        self.memory_read = MemoryReadConfig(top_k=self.conventions.top_k)
        if local_attention is not None:
            self.local_attention = local_attention
        self.modulation = Modulation(f16_channels) if self.local_attention.strength else None
        self.gate = MemoryGate() if gate else None
        nn.init.orthogonal_(self.key.weight)
        assert self.key.bias is not None  # the default of Conv2d
        nn.init.zeros_(self.key.bias)
        load_backbone_weights(self.key_encoder, weights, backbone)
        load_backbone_weights(self.value_encoder, value_weights, VALUE_BACKBONE)
        # The result is the same; training steps on a CPU were ten times as fast, and GPUs gain in half precision.
        self.to(memory_format=torch.channels_last)

    def trunks(self) -> tuple[Backbone, ...]:
        """Return key encoder and value encoder."""
        return self.key_encoder, self.value_encoder

    def key_convs(self) -> tuple[nn.Conv2d, ...]:
        """Return the convolution that query and memory share."""
        return (self.key,)

    @property
    def modulates(self) -> bool:
        """Whether the network was made with a local attention that changes features."""
        return self.modulation is not None

    def encode_query(self, frames: Float[Tensor, "B 3 H W"], prior: Prior | None = None) -> Query:
        """Encode a frame to be segmented; key and query value are made of the modulated features."""
        f16, f8, f4 = self.key_encoder(frames)
        modulated = self._modulated(f16, prior)
        far = self.local_attention.far(prior)
        return Query(self.key(modulated), self.query_value(modulated), f16, f8, f4, far)

    def encode_memory(
        self,
        frames: Float[Tensor, "B 3 H W"],
        masks: Float[Tensor, "B K H W"],
        valid: Bool[Tensor, "B K"] | None = None,
        query: Query | None = None,
    ) -> Memory:
        """Encode a frame to be memorised; the objects of a frame share its key.

        Features are modulated by the frame's own masks, so that memory keys and query keys are similar.
        """
        if query is None:
            query = self.encode_query(frames)
        own, rest, owners = pack(masks, valid)
        objects = self.value_encoder.of_objects(frames, own, rest, owners=owners)
        value = self.fusion(objects, query.f16, owners)
        key = query.key
        if self.modulation is not None:
            key = self.key(self._modulated(query.f16, Prior(cells(masks), valid)))
        key = self.local_attention.marked(key, masks)
        return Memory(of_owners(key, owners).unsqueeze(2), value.unsqueeze(2))

    def _modulated(self, f16: Float[Tensor, "B C h w"], prior: Prior | None) -> Float[Tensor, "B C h w"]:
        if self.modulation is None or prior is None or not self.local_attention.strength:
            return f16
        modulated: Tensor = self.modulation(f16, prior, self.local_attention)
        return modulated
