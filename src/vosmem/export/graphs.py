"""The four parts of a network that run by themselves: encode a frame, memorise it, read the memory, decode."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from vosmem.networks.network import MemoryNetwork, owners_of
from vosmem.shapes import Memory, Query

# What they are traced with; no two equal, so that none is taken for another. Every size runs afterwards.
NUM_OBJECTS, NUM_FRAMES, ROWS, COLUMNS = 2, 3, 4, 5
QUERY = Query._fields


class Graph(NamedTuple):
    """A part of a network, and how it is traced.

    Attributes:
        module: takes the arguments by their names.
        arguments: one of each.
        axes: of each argument the axes whose size is free, and what it is called.
        outputs: names of what comes out.
    """

    module: nn.Module
    arguments: dict[str, Tensor]
    axes: dict[str, dict[int, Any]]
    outputs: tuple[str, ...]


class _Part(nn.Module):
    """A part of a network, which holds the whole."""

    def __init__(self, network: MemoryNetwork):
        super().__init__()
        self.network = network


class EncodeQuery(_Part):
    """`MemoryNetwork.encode_query` of one frame."""

    def forward(self, frame: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, ...]:
        """The parts of the query."""
        return tuple(self.network.encode_query(frame))


class EncodeMemory(_Part):
    """`MemoryNetwork.encode_memory` of one frame."""

    def forward(
        self,
        frame: Float[Tensor, "1 3 H W"],
        masks: Float[Tensor, "1 K H W"],
        key: Float[Tensor, "1 Ck h w"],
        value: Float[Tensor, "1 Cv h w"],
        f16: Float[Tensor, "1 C16 h w"],
        f8: Float[Tensor, "1 C8 h8 w8"],
        f4: Float[Tensor, "1 C4 h4 w4"],
    ) -> tuple[Float[Tensor, "P Ck 1 h w"], Float[Tensor, "K Cv 1 h w"]]:
        """Keys, one row where all objects share them, and values."""
        memory = self.network.encode_memory(frame, masks, query=Query(key, value, f16, f8, f4))
        return memory.key[:1] if _are_shared(memory) else memory.key, memory.value


class ReadMemory(_Part):
    """`MemoryNetwork.read` for one frame."""

    def forward(
        self,
        memory_key: Float[Tensor, "P Ck T h w"],
        memory_value: Float[Tensor, "K Cv T h w"],
        key: Float[Tensor, "1 Ck h w"],
        value: Float[Tensor, "1 Cv h w"],
        f16: Float[Tensor, "1 C16 h w"],
        f8: Float[Tensor, "1 C8 h8 w8"],
        f4: Float[Tensor, "1 C4 h4 w4"],
    ) -> Float[Tensor, "K Cv h w"]:
        """What each object read."""
        memory = Memory(memory_key.expand(memory_value.shape[0], *memory_key.shape[1:]), memory_value)
        return self.network.read(Query(key, value, f16, f8, f4), memory)


class Decode(_Part):
    """The decoder alone, without soft aggregation."""

    def forward(
        self,
        readout: Float[Tensor, "K Cv h w"],
        key: Float[Tensor, "1 Ck h w"],
        value: Float[Tensor, "1 Cv h w"],
        f16: Float[Tensor, "1 C16 h w"],
        f8: Float[Tensor, "1 C8 h8 w8"],
        f4: Float[Tensor, "1 C4 h4 w4"],
    ) -> Float[Tensor, "K H W"]:
        """Probability in [0, 1] of each object by itself."""
        return self.network.decoder(readout, value, f8, f4, owners_of(readout, None))


@torch.no_grad()
def graphs_of(network: MemoryNetwork) -> dict[str, Graph]:
    """The parts of a network by name.

    Args:
        network: in eval mode, on the CPU; best with its batch norms folded.
    """
    frame = torch.rand(1, 3, 16 * ROWS, 16 * COLUMNS)
    masks = torch.rand(1, NUM_OBJECTS, 16 * ROWS, 16 * COLUMNS) / NUM_OBJECTS
    query = network.encode_query(frame)
    memory = network.encode_memory(frame, masks, query=query)
    shared = _are_shared(memory)
    key = memory.key[:1] if shared else memory.key
    key, value = (part.repeat(1, 1, NUM_FRAMES, 1, 1) for part in (key, memory.value))
    readout = network.read(query, Memory(key.expand(NUM_OBJECTS, *key.shape[1:]), value))

    objects, frames, h, w = Dim("K"), Dim("T"), Dim("h"), Dim("w")
    pixels, cells = {2: 16 * h, 3: 16 * w}, {2: h, 3: w}
    asked = dict(zip(QUERY, query, strict=True))
    free = {"key": cells, "value": cells, "f16": cells, "f8": {2: 2 * h, 3: 2 * w}, "f4": {2: 4 * h, 3: 4 * w}}
    remembered = {2: frames, 3: h, 4: w}
    key_axes = remembered if shared else {0: objects, **remembered}
    memory_axes: Mapping[str, dict[int, Any]] = {"memory_key": key_axes, "memory_value": {0: objects, **remembered}}
    return {
        "encode_query": Graph(EncodeQuery(network), {"frame": frame}, {"frame": pixels}, QUERY),
        "encode_memory": Graph(
            EncodeMemory(network),
            {"frame": frame, "masks": masks, **asked},
            {"frame": pixels, "masks": {1: objects, **pixels}, **free},
            ("memory_key", "memory_value"),
        ),
        "read_memory": Graph(
            ReadMemory(network),
            {"memory_key": key, "memory_value": value, **asked},
            {**memory_axes, **free},
            ("readout",),
        ),
        "decode": Graph(
            Decode(network), {"readout": readout, **asked}, {"readout": {0: objects, **cells}, **free}, ("probs",)
        ),
    }


def _are_shared(memory: Memory) -> bool:
    """Whether all objects have the same keys: rows that are one tensor, expanded."""
    return bool(memory.key.stride(0) == 0)
