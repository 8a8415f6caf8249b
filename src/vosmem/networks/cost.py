"""Floating-point operations of a frame, counted on the network itself."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from vosmem.networks.network import MemoryNetwork
from vosmem.ops.padding import STRIDE

PROBE = 4  # cells on each side of the small frame that is counted
Result = TypeVar("Result")


class FrameCost(NamedTuple):
    """GFLOP of a frame's parts (products and convolutions; a multiplication with its addition counts as two)."""

    encode: float
    read: float
    decode: float
    memorize: float

    @property
    def total(self) -> float:
        """Sum of all parts."""
        return sum(self)


@torch.inference_mode()
def frame_cost(network: MemoryNetwork, height: int, width: int, num_objects: int, num_frames: int) -> FrameCost:
    """Count the work of memorising a frame and segmenting the next one (in float32 on the CPU).

    A frame of a few cells is counted and scaled: convolutions grow with the number of cells, the read with its square
    and with the number of frames in memory. Sizes are in pixels, padded as `Propagator` pads.
    """
    cells = -(-height // STRIDE) * -(-width // STRIDE) / PROBE**2
    frame = torch.zeros(1, 3, PROBE * STRIDE, PROBE * STRIDE)
    masks = torch.zeros(1, num_objects, *frame.shape[-2:])
    query, encode = _counted(lambda: network.encode_query(frame))
    entry, memorize = _counted(lambda: network.encode_memory(frame, masks, query=query))
    readout, read = _counted(lambda: network.read(query, entry))
    _, decode = _counted(lambda: network.decode(query, readout))
    return FrameCost(encode * cells, read * cells**2 * num_frames, decode * cells, memorize * cells)


def _counted(run: Callable[[], Result]) -> tuple[Result, float]:
    with FlopCounterMode(display=False) as counter:
        result = run()
    return result, counter.get_total_flops() / 1e9
