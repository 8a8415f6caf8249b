"""STM, the Space-Time Memory network (Oh et al., ICCV 2019)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import Backbone
from vosmem.networks.backbones import load_backbone_weights, make_backbone
from vosmem.networks.bundled import BUNDLED
from vosmem.networks.decoder import Decoder
from vosmem.networks.gate import MemoryGate
from vosmem.networks.heads import KeyValueHead
from vosmem.networks.initialisation import match_encoders, start_as_bundled
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.masks import pack
from vosmem.shapes import Memory, Prior, Query

INITIALISATIONS = {"independent": lambda *parts: None, "matched": match_encoders}


class STM(MemoryNetwork):
    """An encoder for the query and one for the memory, each with its own keys and values.

    Args:
        backbone: backbone of both encoders, as in `make_backbone`; `resnet50` in the paper.
        key_channels: width of the keys (paper: 128).
        value_channels: width of the values (paper: 512).
        decoder_channels: width of the decoder (paper: 256).
        weights: initial weights of both encoders, as in `load_backbone_weights`; `bundled` also initialises heads and
            decoder from the network in the package, where the shapes agree.
        train_affine: whether the batch norms' scale and shift are trained.
        init: `independent` (the paper: all parts random) or `matched` (encoders and heads start equal).
        gate: whether the network has a gate for the dynamic bank, as in REMN; it starts untrained.

    Raises:
        InputError: the backbone or `init` is unknown, or the weights cannot be used.

    Source:
        STM section 3; widths in its section 3.1.

    Example:
        >>> network = STM(backbone="resnet18", key_channels=32, value_channels=128, decoder_channels=64, weights="none")
        >>> frames, masks = torch.rand(1, 3, 32, 48), torch.ones(1, 2, 32, 48) / 2
        >>> memory = network.encode_memory(frames, masks)
        >>> network.segment(network.encode_query(frames), memory).shape
        torch.Size([1, 3, 32, 48])
    """

    similarity = "dot"

    def __init__(
        self,
        *,
        backbone: str,
        key_channels: int,
        value_channels: int,
        decoder_channels: int,
        weights: str,
        train_affine: bool = True,
        init: str = "independent",
        gate: bool = False,
    ):
        if init not in INITIALISATIONS:
            raise InputError(f"unknown initialisation {init!r}: use {', '.join(INITIALISATIONS)}")
        super().__init__()
        self.memory_encoder = make_backbone(backbone, num_mask_channels=2, train_affine=train_affine)
        self.query_encoder = make_backbone(backbone, train_affine=train_affine)
        f4_channels, f8_channels, f16_channels = self.query_encoder.channels
        self.memory_head = KeyValueHead(f16_channels, key_channels, value_channels)
        self.query_head = KeyValueHead(f16_channels, key_channels, value_channels)
        self.decoder = Decoder(value_channels, f8_channels, f4_channels, decoder_channels)
        self.gate = MemoryGate() if gate else None
        for trunk in self.trunks():
            load_backbone_weights(trunk, weights, backbone)
        INITIALISATIONS[init](self.query_encoder, self.memory_encoder, self.query_head, self.memory_head)
        if weights == BUNDLED:
            start_as_bundled(self.memory_encoder, self.query_head, self.memory_head, self.decoder)
        # The same function: training steps on a CPU were ten times as fast, and GPUs gain in half precision.
        self.to(memory_format=torch.channels_last)

    def trunks(self) -> tuple[Backbone, ...]:
        """Return query encoder and memory encoder."""
        return self.query_encoder, self.memory_encoder

    def key_convs(self) -> tuple[nn.Conv2d, ...]:
        """Return the key convolutions of both heads, the query's first."""
        return self.query_head.key, self.memory_head.key

    def encode_memory(
        self,
        frames: Float[Tensor, "B 3 H W"],
        masks: Float[Tensor, "B K H W"],
        valid: Bool[Tensor, "B K"] | None = None,
        query: Query | None = None,
    ) -> Memory:
        """Encode a frame to be memorised; `query`, made by the other encoder, is not used."""
        own, rest, owners = pack(masks, valid)
        f16 = self.memory_encoder.of_objects(frames, own, rest, owners=owners)
        key, value = self.memory_head(f16)
        return Memory(self.local_attention.marked(key, masks[owners]).unsqueeze(2), value.unsqueeze(2))

    def encode_query(self, frames: Float[Tensor, "B 3 H W"], prior: Prior | None = None) -> Query:
        """Encode a frame to be segmented; the prior only affects the affinity."""
        f16, f8, f4 = self.query_encoder(frames)
        key, value = self.query_head(f16)
        return Query(key, value, f16, f8, f4, self.local_attention.far(prior))
