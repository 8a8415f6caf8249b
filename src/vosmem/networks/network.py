"""What training and inference ask of a network, whatever it is made of."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.decoder import Decoder
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.attention import Reading
from vosmem.ops.masks import unpack
from vosmem.shapes import Memory, Query


class MemoryNetwork(nn.Module, ABC):
    """Encoders, a memory read without parameters, and a decoder.

    `encode_memory` turns a frame with masks into keys and values, `encode_query` turns a frame into a question, and
    `segment` reads the memory and decodes. What is remembered lies outside the network, so that training and inference
    keep it as each needs.

    Attributes:
        reading: how the memory is read.
        memorizes_queries: whether `encode_memory` gains by the query that the frame was encoded to before.
    """

    memorizes_queries: ClassVar[bool] = False
    decoder: Decoder
    reading: Reading = Reading()

    @abstractmethod
    def trunks(self) -> tuple[ResNetTrunk, ...]:
        """The backbones, the query's first."""

    @abstractmethod
    def key_convs(self) -> tuple[nn.Conv2d, ...]:
        """The convolutions that make keys of stride-16 features, the query's first."""

    @abstractmethod
    def encode_query(self, frames: Float[Tensor, "B 3 H W"]) -> Query:
        """Encode a frame that is to be segmented: RGB in [0, 1]; H and W multiples of 16."""

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

    @abstractmethod
    def read(self, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None) -> Float[Tensor, "O Cv h w"]:
        """Ask the memory: what each object finds in it for each cell of its frame.

        Args:
            query: the encoded frames.
            memory: what each object remembers, one row for each valid slot; values of any width.
            valid: which slots hold an object; by default every row belongs to the one frame of the batch.
        """

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
        self, query: Query, memory: Memory, valid: Bool[Tensor, "B K"] | None = None
    ) -> Float[Tensor, "B K1 H W"]:
        """`read`, then `decode`."""
        return self.decode(query, self.read(query, memory, valid), valid)


def owners_of(rows: Float[Tensor, "O *S"], valid: Bool[Tensor, "B K"] | None) -> Int[Tensor, "O"]:
    """The frame of the batch that each object row belongs to."""
    if valid is None:
        return torch.zeros(rows.shape[0], dtype=torch.int64, device=rows.device)
    return valid.nonzero()[:, 0]
