"""How much work a frame is, counted on the network itself."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from vosmem.networks.network import MemoryNetwork
from vosmem.ops.padding import STRIDE

PROBE = 4  # cells a side of the small frame that is counted
Made = TypeVar("Made")


class FrameCost(NamedTuple):
    """GFLOP of the parts of a frame: products and convolutions, a multiplication with its addition counting as two.

    Attributes:
        encode: the query encoder.
        read: the memory read.
        decode: the decoder.
        memorize: the memory encoder.
    """

    encode: float
    read: float
    decode: float
    memorize: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


@torch.inference_mode()
def frame_cost(network: MemoryNetwork, height: int, width: int, num_objects: int, num_frames: int) -> FrameCost:
    """The work of memorising a frame and segmenting the next one.

    A frame of a few cells is run and counted; convolutions grow with the cells, the read with their square and
    with the frames in memory.

    Args:
        network: the network, in float32 on the CPU.
        height: of the frames, in pixels; padded as `Propagator` pads.
        width: of the frames.
        num_objects: objects in the frame (K).
        num_frames: frames in memory (T).
    """
    cells = -(-height // STRIDE) * -(-width // STRIDE) / PROBE**2
    frame = torch.zeros(1, 3, PROBE * STRIDE, PROBE * STRIDE)
    masks = torch.zeros(1, num_objects, *frame.shape[-2:])
    query, encode = _counted(lambda: network.encode_query(frame))
    entry, memorize = _counted(lambda: network.encode_memory(frame, masks, query=query))
    readout, read = _counted(lambda: network.read(query, entry))
    _, decode = _counted(lambda: network.decode(query, readout))
    return FrameCost(encode * cells, read * cells**2 * num_frames, decode * cells, memorize * cells)


def _counted(run: Callable[[], Made]) -> tuple[Made, float]:
    with FlopCounterMode(display=False) as counter:
        result = run()
    return result, counter.get_total_flops() / 1e9
