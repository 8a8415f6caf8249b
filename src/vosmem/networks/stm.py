"""Space-Time Memory networks (Oh et al., ICCV 2019)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import ResNetTrunk, load_backbone_weights
from vosmem.networks.decoder import Decoder
from vosmem.networks.heads import KeyValueHead
from vosmem.networks.initialisation import lay_mask_lane, match_encoders
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.attention import read_memory
from vosmem.ops.masks import others, unpack
from vosmem.shapes import Memory, Query

INITIALISATIONS = {
    "independent": lambda *parts: None,
    "matched": match_encoders,
    "mask_lane": lay_mask_lane,
}


class STM(nn.Module):
    """Two encoders, a memory without parameters, and a decoder.

    `encode_memory` turns a frame with masks into keys and values, `encode_query` turns a frame into a question, and
    `segment` reads the memory and decodes. What is remembered lies outside the network, so that training and inference
    keep it as each needs.

    Args:
        backbone: `resnet50` (the paper), `resnet18` or `resnet10`.
        key_channels: width of the keys (paper: 128).
        value_channels: width of the values (paper: 512).
        decoder_channels: width of the decoder (paper: 256).
        weights: where both trunks start: `imagenet`, `none` or the path of a torchvision state dict.
        train_affine: whether the batch norms' scale and shift are trained.
        init: `independent` (the paper: everything drawn by itself), `matched` (both trunks and both heads start equal)
            or `mask_lane` (matched, and for `weights=none` alone: channels through which the masks reach the value).

    Raises:
        InputError: unknown backbone or `init`, weights that cannot be used, or `mask_lane` with trained weights.

    Source:
        STM section 3; widths in its section 3.1.

    Example:
        >>> network = STM(backbone="resnet18", key_channels=32, value_channels=128, decoder_channels=64, weights="none")
        >>> frames, masks = torch.rand(1, 3, 32, 48), torch.ones(1, 2, 32, 48) / 2
        >>> memory = network.encode_memory(frames, masks)
        >>> network.segment(network.encode_query(frames), memory).shape
        torch.Size([1, 3, 32, 48])
    """

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
    ):
        if init not in INITIALISATIONS:
            raise InputError(f"unknown initialisation {init!r}: use {', '.join(INITIALISATIONS)}")
        if init == "mask_lane" and weights != "none":
            raise InputError("init=mask_lane would overwrite trained weights: use init=matched")
        super().__init__()
        self.memory_encoder = ResNetTrunk(backbone, num_mask_channels=2, train_affine=train_affine)
        self.query_encoder = ResNetTrunk(backbone, train_affine=train_affine)
        f4_channels, f8_channels, f16_channels = self.query_encoder.channels
        self.memory_head = KeyValueHead(f16_channels, key_channels, value_channels)
        self.query_head = KeyValueHead(f16_channels, key_channels, value_channels)
        self.decoder = Decoder(value_channels, f8_channels, f4_channels, decoder_channels)
        for trunk in self.trunks():
            load_backbone_weights(trunk, weights, backbone)
        INITIALISATIONS[init](self.query_encoder, self.memory_encoder, self.query_head, self.memory_head, self.decoder)
        # Same numbers, other strides: training steps on a CPU were ten times as fast, GPUs profit in half precision.
        self.to(memory_format=torch.channels_last)

    def trunks(self) -> tuple[ResNetTrunk, ResNetTrunk]:
        """The two backbones, query first."""
        return self.query_encoder, self.memory_encoder

    def encode_memory(
        self,
        frames: Float[Tensor, "B 3 H W"],
        masks: Float[Tensor, "B K H W"],
        valid: Bool[Tensor, "B K"] | None = None,
    ) -> Memory:
        """Memorise a frame: a key and a value for each object.

        Args:
            frames: RGB in [0, 1]; H and W multiples of 16.
            masks: soft masks in [0, 1], padded slots zero.
            valid: which slots hold an object; all by default.

        Returns:
            one row for each valid slot, T = 1.
        """
        if valid is None:
            valid = torch.ones(masks.shape[:2], dtype=torch.bool, device=masks.device)
        owners = valid.nonzero()[:, 0]
        f16, _, _ = self.memory_encoder(frames[owners], masks[valid][:, None], others(masks)[valid][:, None])
        key, value = self.memory_head(f16)
        return Memory(key.unsqueeze(2), value.unsqueeze(2))

    def encode_query(self, frames: Float[Tensor, "B 3 H W"]) -> Query:
        """Encode a frame that is to be segmented: RGB in [0, 1]; H and W multiples of 16."""
        f16, f8, f4 = self.query_encoder(frames)
        key, value = self.query_head(f16)
        return Query(key, value, f8, f4)

    def read(self, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None) -> Float[Tensor, "O Cv h w"]:
        """Ask the memory: what each object finds in it for each cell of its frame.

        Args:
            query: the encoded frames.
            memory: what each object remembers, one row for each valid slot.
            valid: which slots hold an object; by default every row belongs to the one frame of the batch.
        """
        owners = _owners(memory.key, valid)
        readout = read_memory(memory.key.flatten(2), memory.value.flatten(2), query.key.flatten(2)[owners])
        return readout.unflatten(2, query.key.shape[-2:])

    def decode(
        self, query: Query, readout: Float[Tensor, "O Cv h w"], valid: Bool[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B K1 H W"]:
        """Decode what was read into logits over background and objects, at least float32; padded slots are -inf.

        Args:
            query: the encoded frames.
            readout: what each object read, one row for each valid slot.
            valid: which slots hold an object; by default every row belongs to the one frame of the batch.
        """
        valid = _one_frame(readout) if valid is None else valid
        probs = self.decoder(readout, query.value, query.f8, query.f4, _owners(readout, valid))
        return soft_aggregate(unpack(probs, valid), valid)

    def segment(
        self, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B K1 H W"]:
        """`read`, then `decode`."""
        return self.decode(query, self.read(query, memory, valid), valid)


def _one_frame(rows: Float[Tensor, "O *S"]) -> Bool[Tensor, "1 O"]:
    return torch.ones(1, rows.shape[0], dtype=torch.bool, device=rows.device)


def _owners(rows: Float[Tensor, "O *S"], valid: Bool[Tensor, "B K"] | None) -> Int[Tensor, "O"]:
    """The frame of the batch that each object row belongs to."""
    return (_one_frame(rows) if valid is None else valid).nonzero()[:, 0]
