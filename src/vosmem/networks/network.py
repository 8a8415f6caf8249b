"""What training and inference ask of a network, whatever it is made of."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.conventions import Conventions
from vosmem.networks.decoder import ObjectDecoder
from vosmem.networks.gate import MemoryGate
from vosmem.networks.local_attention import LocalAttention
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.attention import MemoryReadConfig, Similarity, read_memory
from vosmem.ops.masks import unpack
from vosmem.shapes import Memory, Prior, Query


class MemoryNetwork(nn.Module, ABC):
    """Encoders, a memory read without parameters, and a decoder.

    `encode_memory` turns a frame with masks into keys and values, `encode_query` turns a frame into a question, and
    `segment` reads the memory and decodes. What is remembered lies outside the network, so that training and inference
    keep it as each needs.

    Attributes:
        conventions: inference settings that belong to the network.
        memory_read: how the memory is read; in training all cells are read whatever its `top_k`.
        gate: says how many remembered frames stay; None where it was not made with one.
        local_attention: how much it matters where objects were in the frame before.
        additions: parts that change nothing before they are trained, so that weights of a network without them will do.
        memorizes_queries: whether `encode_memory` gains by the query that the frame was encoded to before.
        similarity: how a query's keys and those of the memory are compared.
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
        """Whether there are filters by which local attention can change the features."""
        return False

    def set_local_attention(self, local_attention: LocalAttention) -> None:
        """Take another local attention than the one it was trained with.

        Raises:
            InputError: it changes features, and the network has no filters for that.
        """
        if local_attention.strength and not self.modulates:
            raise InputError(
                "this network was not trained to change features by the previous mask: use local_attention=matching "
                "or none"
            )
        self.local_attention = local_attention

    @property
    def border(self) -> Float[Tensor, "3"] | None:
        """The colour that fills frames up to whole memory cells; None for black."""
        return self.trunks()[0].mean.flatten() if self.conventions.border == "mean" else None

    @abstractmethod
    def trunks(self) -> tuple[ResNetTrunk, ...]:
        """The backbones, the query's first."""

    @abstractmethod
    def key_convs(self) -> tuple[nn.Conv2d, ...]:
        """The convolutions that make keys of stride-16 features, the query's first."""

    @abstractmethod
    def encode_query(self, frames: Float[Tensor, "B 3 H W"], prior: Prior | None = None) -> Query:
        """Encode a frame that is to be segmented.

        Args:
            frames: RGB in [0, 1]; H and W multiples of 16.
            prior: where the objects were, for local attention; None where nothing is known.
        """

    @abstractmethod
    def encode_memory(
        self,
        frames: Float[Tensor, "B 3 H W"],
        masks: Float[Tensor, "B K H W"],
        valid: Bool[Tensor, "B K"] | None = None,
        query: Query | None = None,
    ) -> Memory:
        """Memorise a frame: a key and a value for each object.

        Args:
            frames: RGB in [0, 1]; H and W multiples of 16.
            masks: soft masks in [0, 1], padded slots zero.
            valid: which slots hold an object; all by default.
            query: the same frames as `encode_query` gave them, where they were encoded already; a network that shares
                an encoder between query and memory then does not run it again.

        Returns:
            one row for each valid slot, T = 1.
        """

    def read(
        self,
        query: Query,
        memory: Memory,
        valid: Bool[Tensor, "B K"] | None = None,
        log_weights: Float[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "O Cv h w"]:
        """Ask the memory: what each object finds in it for each cell of its frame.

        Args:
            query: the encoded frames.
            memory: what each object remembers, one row for each valid slot; values of any width.
            valid: which slots hold an object; by default every row belongs to the one frame of the batch.
            log_weights: for each remembered frame, added before the softmax: 0 leaves it, -inf takes it away.
        """
        owners = owners_of(memory.key, valid)
        penalty = None
        if memory.key.shape[1] > query.key.shape[1]:  # marked; before any frame was segmented all cells are near
            far = torch.zeros_like(query.key[:, 0]) if query.far is None else query.far
            penalty = for_each((self.local_attention.locality * far).flatten(1), owners)
        if log_weights is not None:
            log_weights = for_each(log_weights.repeat_interleave(query.key[0, 0].numel(), dim=1), owners)
        keys = memory.key.flatten(2), memory.value.flatten(2), for_each(query.key.flatten(2), owners)
        memory_read = replace(self.memory_read, top_k=None) if self.training else self.memory_read
        readout = read_memory(*keys, self.similarity, memory_read, penalty, log_weights)
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
        probs = self.decoder(readout, query.value, query.f8, query.f4, owners_of(readout, valid))
        return soft_aggregate(probs[None]) if valid is None else soft_aggregate(unpack(probs, valid), valid)

    def segment(
        self,
        query: Query,
        memory: Memory,
        valid: Bool[Tensor, "B K"] | None = None,
        log_weights: Float[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B K1 H W"]:
        """`read`, then `decode`."""
        return self.decode(query, self.read(query, memory, valid, log_weights), valid)


def frame_shares(
    network: MemoryNetwork, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None
) -> Float[Tensor, "O T"]:
    """The share of the attention that each remembered frame gets from the cells of a frame; in [0, 1], summing to 1.

    Args:
        network: the network.
        query: the encoded frames.
        memory: what each object remembers, one row for each valid slot.
        valid: as of `MemoryNetwork.read`.
    """
    num_objects, _, num_frames = memory.key.shape[:3]
    # Objects of one frame that share their keys share their attention.
    rows = 1 if valid is None and memory.key.stride(0) == 0 else num_objects
    which = torch.eye(num_frames, dtype=memory.value.dtype, device=memory.value.device)
    values = which[None, :, :, None, None].expand(rows, -1, -1, *memory.value.shape[-2:])
    shares = network.read(query, Memory(memory.key[:rows], values), valid).mean(dim=(2, 3))
    return shares.expand(num_objects, -1)


def cell_shares(
    network: MemoryNetwork, query: Query, memory: Memory, cells: Integer[Tensor, "P 2"]
) -> Float[Tensor, "O P T h w"]:
    """The share of the attention that each remembered cell gets from some cells of a frame; in [0, 1].

    Args:
        network: the network.
        query: the encoded frame; its key and `far` alone are looked at.
        memory: what each object remembers.
        cells: row and column of the cells that ask.

    Returns:
        for each object and cell that asks, shares that sum to 1 over the memory.
    """
    num_frames, height, width = memory.key.shape[2:]
    at = cells[:, 0] * width + cells[:, 1]
    far = None if query.far is None else query.far.flatten(1)[:, None, at]
    asked = query._replace(key=query.key.flatten(2)[:, :, None, at], far=far)
    each = torch.eye(height * width, dtype=memory.value.dtype, device=memory.value.device)
    shares = []
    for t in range(num_frames):  # one frame's cells at a time: all at once would be the square of the memory
        values = each.new_zeros(1, height * width, num_frames, height, width)
        values[0, :, t] = each.unflatten(1, (height, width))
        shares.append(network.read(asked, Memory(memory.key, values.expand(memory.key.shape[0], *values.shape[1:]))))
    return torch.stack(shares, dim=1).squeeze(3).permute(0, 3, 1, 2).unflatten(3, (height, width))


def owners_of(rows: Float[Tensor, "O *S"], valid: Bool[Tensor, "B K"] | None) -> Int[Tensor, "O"]:
    """The frame of the batch that each object row belongs to."""
    if valid is None:
        return torch.zeros(rows.shape[0], dtype=torch.int64, device=rows.device)
    return valid.nonzero()[:, 0]


def for_each(parts: Float[Tensor, "B *S"], owners: Int[Tensor, "O"]) -> Float[Tensor, "O *S"]:
    """The frame's part for each of its objects; of a lone frame a view, which tells the read that they are the same."""
    return parts.expand(owners.shape[0], *parts.shape[1:]) if parts.shape[0] == 1 else parts[owners]
