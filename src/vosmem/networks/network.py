"""The interface that training and inference use: what a memory network encodes, reads and decodes."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import Backbone
from vosmem.networks.conventions import Conventions
from vosmem.networks.decoder import ObjectDecoder, of_owners
from vosmem.networks.gate import MemoryGate
from vosmem.networks.local_attention import LocalAttention
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.attention import MemoryReadConfig, Similarity, read_memory
from vosmem.ops.masks import owners_in, unpack
from vosmem.shapes import Memory, Prior, Query


class MemoryNetwork(nn.Module, ABC):
    """Encoders, a memory read without parameters, and a decoder.

    `encode_memory` turns a frame with masks into keys and values, `encode_query` encodes a frame to be segmented, and
    `segment` reads the memory and decodes. The caller holds the memory: a clip's in training, a bank at inference.

    Frames are RGB in [0, 1], with H and W multiples of 16; masks are soft, in [0, 1], with padded slots zero. `valid`
    marks the slots that hold an object; by default all do, and all rows belong to the one frame of the batch. On a
    GPU keep `valid` on the CPU: shapes depend on it, and the CPU would wait for the device.

    Attributes:
        conventions: inference settings that belong to the network.
        memory_read: how the memory is read; training reads all cells, whatever its `top_k`.
        gate: predicts how many frames stay in memory; None for a network without a gate.
        local_attention: strength of local attention.
        additions: parts that change nothing before they are trained, so weights of a network without them fit.
        memorizes_queries: whether `encode_memory` saves work if it gets the frame's query.
        similarity: how query keys and memory keys are compared.
    """

    additions: ClassVar[tuple[str, ...]] = ("gate", "modulation")
    memorizes_queries: ClassVar[bool] = False
    similarity: ClassVar[Similarity]
    decoder: ObjectDecoder
    gate: MemoryGate | None
    conventions: Conventions = Conventions()
    memory_read: MemoryReadConfig = MemoryReadConfig()
    local_attention: LocalAttention = LocalAttention()

    @property
    def modulates(self) -> bool:
        """Whether the network has filters by which local attention changes the features."""
        return False

    def set_local_attention(self, local_attention: LocalAttention) -> None:
        """Replace the local attention that the network was trained with.

        Raises:
            InputError: it changes features, and the network has no filters for that.
        """
        if local_attention.strength and not self.modulates:
            raise InputError(
                f"local_attention.strength={local_attention.strength} needs a network that was trained with it: use "
                "local_attention=matching or none"
            )
        self.local_attention = local_attention

    @property
    def border(self) -> Float[Tensor, "3"] | None:
        """Colour that pads frames to whole memory cells; None for black."""
        return self.trunks()[0].mean.flatten() if self.conventions.border == "mean" else None

    @abstractmethod
    def trunks(self) -> tuple[Backbone, ...]:
        """Return the backbones, the query's first."""

    @abstractmethod
    def key_convs(self) -> tuple[nn.Conv2d, ...]:
        """Return the convolutions that make keys of stride-16 features, the query's first."""

    @abstractmethod
    def encode_query(self, frames: Float[Tensor, "B 3 H W"], prior: Prior | None = None) -> Query:
        """Encode a frame to be segmented; `prior` holds the previous masks, for local attention."""

    @abstractmethod
    def encode_memory(
        self,
        frames: Float[Tensor, "B 3 H W"],
        masks: Float[Tensor, "B K H W"],
        valid: Bool[Tensor, "B K"] | None = None,
        query: Query | None = None,
    ) -> Memory:
        """Encode a frame to be memorised: one row for each object, T = 1.

        A network with one encoder for query and memory saves work if it gets the `query` of the frame.
        """

    def read(
        self,
        query: Query,
        memory: Memory,
        valid: Bool[Tensor, "B K"] | None = None,
        log_weights: Float[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "O Cv h w"]:
        """Read the memory of each object for each cell of its frame; values may have any width.

        `log_weights` are added for each frame in memory before the softmax: 0 changes nothing, -inf excludes the frame.
        """
        owners = owners_of(memory.key, valid)
        penalty = None
        if memory.key.shape[1] > query.key.shape[1]:  # `marked`; without previous masks all cells are near
            far = torch.zeros_like(query.key[:, 0]) if query.far is None else query.far
            penalty = of_owners((self.local_attention.locality * far).flatten(1), owners)
        if log_weights is not None:
            log_weights = of_owners(log_weights.repeat_interleave(query.key[0, 0].numel(), dim=1), owners)
        keys = memory.key.flatten(2), memory.value.flatten(2), of_owners(query.key.flatten(2), owners)
        memory_read = replace(self.memory_read, top_k=None) if self.training else self.memory_read
        readout = read_memory(*keys, self.similarity, memory_read, penalty, log_weights)
        return readout.unflatten(2, query.key.shape[-2:])

    def decode(
        self, query: Query, readout: Float[Tensor, "O Cv h w"], valid: Bool[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B K1 H W"]:
        """Decode readouts into logits over background and objects, in float32 or more; padded slots are -inf."""
        probs = self.decoder(readout, query.value, query.f8, query.f4, owners_of(readout, valid))
        return soft_aggregate(probs[None]) if valid is None else soft_aggregate(unpack(probs, valid), valid)

    def segment(
        self,
        query: Query,
        memory: Memory,
        valid: Bool[Tensor, "B K"] | None = None,
        log_weights: Float[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B K1 H W"]:
        """Apply `read`, then `decode`."""
        return self.decode(query, self.read(query, memory, valid, log_weights), valid)


def frame_shares(
    network: MemoryNetwork, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None
) -> Float[Tensor, "O T"]:
    """Return the share of the attention that each frame in memory gets, over all query cells; in [0, 1], summing to 1.

    The arguments are those of `MemoryNetwork.read`, which reads one-hot values.
    """
    num_objects, _, num_frames = memory.key.shape[:3]
    # Objects of one frame that share their keys share their attention.
    rows = 1 if valid is None and memory.key.stride(0) == 0 else num_objects
    one_hot = torch.eye(num_frames, dtype=memory.value.dtype, device=memory.value.device)
    values = one_hot[None, :, :, None, None].expand(rows, -1, -1, *memory.value.shape[-2:])
    shares = network.read(query, Memory(memory.key[:rows], values), valid).mean(dim=(2, 3))
    return shares.expand(num_objects, -1)


def cell_shares(
    network: MemoryNetwork, query: Query, memory: Memory, cells: Integer[Tensor, "P 2"]
) -> Float[Tensor, "O P T h w"]:
    """Return the share of the attention that each memory cell gets from some query cells (row, column).

    For each object and query cell the shares are in [0, 1] and sum to 1. Only `key` and `far` of the query are used.
    """
    num_frames, height, width = memory.key.shape[2:]
    index = cells[:, 0] * width + cells[:, 1]
    far = None if query.far is None else query.far.flatten(1)[:, None, index]
    query = query._replace(key=query.key.flatten(2)[:, :, None, index], far=far)
    one_hot = torch.eye(height * width, dtype=memory.value.dtype, device=memory.value.device)
    shares = []
    for t in range(num_frames):  # one frame's cells at a time: all at once would be the square of the memory
        values = one_hot.new_zeros(1, height * width, num_frames, height, width)
        values[0, :, t] = one_hot.unflatten(1, (height, width))
        shares.append(network.read(query, Memory(memory.key, values.expand(memory.key.shape[0], *values.shape[1:]))))
    return torch.stack(shares, dim=1).squeeze(3).permute(0, 3, 1, 2).unflatten(3, (height, width))


def owners_of(rows: Float[Tensor, "O *S"], valid: Bool[Tensor, "B K"] | None) -> Int[Tensor, "O"]:
    """Return the index of each object row's frame in the batch."""
    if valid is None:
        return torch.zeros(rows.shape[0], dtype=torch.int64, device=rows.device)
    return owners_in(valid, rows.device)
