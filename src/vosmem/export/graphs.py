"""The four parts of a network that are exported: encode a frame, memorise it, read the memory, decode."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from vosmem.networks.network import MemoryNetwork, owners_of
from vosmem.ops.locality import cells
from vosmem.shapes import Memory, Prior, Query

# Sizes for tracing, all different, so that no axis is taken for another. The graphs run with any sizes.
NUM_OBJECTS, NUM_FRAMES, ROWS, COLUMNS = 2, 3, 4, 5
QUERY = Query._fields


class Graph(NamedTuple):
    """A part of a network, and how it is traced."""

    module: nn.Module  # takes the arguments by name
    arguments: dict[str, Tensor]  # an example of each
    axes: dict[str, dict[int, Any]]  # for each argument the axes of free size, with the names of the sizes
    outputs: tuple[str, ...]  # names of the outputs


class _Part(nn.Module):
    """A part of a network; holds the whole network."""

    def __init__(self, network: MemoryNetwork):
        super().__init__()
        self.network = network


class EncodeQuery(_Part):
    """`MemoryNetwork.encode_query` of one frame."""

    def forward(self, frame: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, ...]:
        """The parts of the query."""
        return _present(self.network.encode_query(frame))


class EncodeQueryWithPrior(_Part):
    """`EncodeQuery` with local attention, from the masks of the two frames before; all zero for none."""

    def forward(
        self,
        frame: Float[Tensor, "1 3 H W"],
        last_masks: Float[Tensor, "1 K H W"],
        earlier_masks: Float[Tensor, "1 K H W"],
    ) -> tuple[Tensor, ...]:
        """The parts of the query."""
        prior = Prior(cells(last_masks), None, cells(earlier_masks))
        return _present(self.network.encode_query(frame, prior))


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
    ) -> tuple[Float[Tensor, "P Cm 1 h w"], Float[Tensor, "K Cv 1 h w"]]:
        """Keys, with a channel for local matching and one row where all objects share them; values."""
        memory = self.network.encode_memory(frame, masks, query=Query(key, value, f16, f8, f4))
        return memory.key[:1] if _are_shared(memory) else memory.key, memory.value


class ReadMemory(_Part):
    """`MemoryNetwork.read` for one frame."""

    def forward(
        self,
        memory_key: Float[Tensor, "P Cm T h w"],
        memory_value: Float[Tensor, "K Cv T h w"],
        key: Float[Tensor, "1 Ck h w"],
        value: Float[Tensor, "1 Cv h w"],
        f16: Float[Tensor, "1 C16 h w"],
        f8: Float[Tensor, "1 C8 h8 w8"],
        f4: Float[Tensor, "1 C4 h4 w4"],
        far: Float[Tensor, "1 h w"] | None = None,
    ) -> Float[Tensor, "K Cv h w"]:
        """The readout of each object."""
        memory = Memory(memory_key.expand(memory_value.shape[0], *memory_key.shape[1:]), memory_value)
        return self.network.read(Query(key, value, f16, f8, f4, far), memory)


class Decode(_Part):
    """The decoder without soft aggregation."""

    def forward(
        self,
        readout: Float[Tensor, "K Cv h w"],
        key: Float[Tensor, "1 Ck h w"],
        value: Float[Tensor, "1 Cv h w"],
        f16: Float[Tensor, "1 C16 h w"],
        f8: Float[Tensor, "1 C8 h8 w8"],
        f4: Float[Tensor, "1 C4 h4 w4"],
    ) -> Float[Tensor, "K H W"]:
        """Probability in [0, 1] of each object, independent of the others."""
        return self.network.decoder(readout, value, f8, f4, owners_of(readout, None))


@torch.no_grad()
def graphs_of(network: MemoryNetwork) -> dict[str, Graph]:
    """The parts of a network by name; the network is in eval mode, on the CPU, with its batch norms folded."""
    frame = torch.rand(1, 3, 16 * ROWS, 16 * COLUMNS)
    masks = torch.rand(1, NUM_OBJECTS, 16 * ROWS, 16 * COLUMNS) / NUM_OBJECTS
    # Two tensors, since one tensor given twice would become one argument.
    priors = {"last_masks": masks, "earlier_masks": masks.clone()} if network.local_attention.on else {}
    encode_query = EncodeQueryWithPrior(network) if priors else EncodeQuery(network)
    query = encode_query(frame, **priors)
    parts = tuple(name for name, _ in zip(QUERY, query, strict=False))
    query = Query(*query)
    memory = network.encode_memory(frame, masks, query=query)
    shared = _are_shared(memory)
    key = memory.key[:1] if shared else memory.key
    key, value = (part.repeat(1, 1, NUM_FRAMES, 1, 1) for part in (key, memory.value))
    readout = network.read(query, Memory(key.expand(NUM_OBJECTS, *key.shape[1:]), value))

    objects, frames, h, w = Dim("K"), Dim("T"), Dim("h"), Dim("w")
    pixels, cells = {2: 16 * h, 3: 16 * w}, {2: h, 3: w}
    given = {name: part for name, part in query._asdict().items() if name in parts and name != "far"}
    far = {"far": query.far} if query.far is not None else {}
    free = {"key": cells, "value": cells, "f16": cells, "f8": {2: 2 * h, 3: 2 * w}, "f4": {2: 4 * h, 3: 4 * w}}
    masks_axes = {1: objects, **pixels}
    memory_cells = {2: frames, 3: h, 4: w}
    key_axes = memory_cells if shared else {0: objects, **memory_cells}
    memory_axes: Mapping[str, dict[int, Any]] = {"memory_key": key_axes, "memory_value": {0: objects, **memory_cells}}
    return {
        "encode_query": Graph(
            encode_query,
            {"frame": frame, **priors},
            {"frame": pixels, **dict.fromkeys(priors, masks_axes)},
            parts,
        ),
        "encode_memory": Graph(
            EncodeMemory(network),
            {"frame": frame, "masks": masks, **given},
            {"frame": pixels, "masks": masks_axes, **free},
            ("memory_key", "memory_value"),
        ),
        "read_memory": Graph(
            ReadMemory(network),
            {"memory_key": key, "memory_value": value, **given, **far},
            {**memory_axes, **free, **({"far": {1: h, 2: w}} if far else {})},
            ("readout",),
        ),
        "decode": Graph(
            Decode(network), {"readout": readout, **given}, {"readout": {0: objects, **cells}, **free}, ("probs",)
        ),
    }


def _present(query: Query) -> tuple[Tensor, ...]:
    return tuple(part for part in query if part is not None)


def _are_shared(memory: Memory) -> bool:
    """Whether all objects share their keys, as rows of one expanded tensor."""
    return bool(memory.key.stride(0) == 0)
