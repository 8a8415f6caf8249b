"""Where in its memory the network looks for a pixel of the current frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.view import View
from vosmem.networks.network import cell_shares
from vosmem.ops.padding import STRIDE, unpad
from vosmem.shapes import Query

if TYPE_CHECKING:
    from vosmem.inference.propagation.propagator import Propagator


class AttentionQuery(NamedTuple):
    """How a frame asked the memory.

    Attributes:
        query: its key, and what else the read looks at; nothing that is for the decoder.
        view: what the network saw of it.
    """

    query: Query
    view: View

    @classmethod
    def of(cls, query: Query, view: View) -> "AttentionQuery":
        """Keep the key alone: the features would take more than the memory."""
        nothing = query.key.new_empty(0, 0, 0, 0)
        alone = query._replace(value=nothing, f16=nothing, f8=nothing, f4=nothing)
        return cls(alone, view)


class AttentionMaps(NamedTuple):
    """Where some pixels of a frame looked.

    Attributes:
        frames: places in the video of the frames in memory, ascending.
        shares: of each of them, summing to 1; in [0, 1].
        maps: the share of the cell at each pixel of a frame, at the network's size.
    """

    frames: list[int]
    shares: Float[Tensor, "T"]
    maps: Float[Tensor, "T H W"]


@torch.inference_mode()
def attention_maps(
    propagator: "Propagator", pixels: Sequence[tuple[int, int]], object_id: int, size: tuple[int, int]
) -> AttentionMaps:
    """Where in the memory of an object pixels of the frame of the last step looked, by the network's own read.

    Args:
        propagator: after that step.
        pixels: row and column; of several the mean is taken.
        object_id: whose memory; networks whose objects share their keys look alike for all.
        size: height and width of the frames, which the pixels are counted in.

    Raises:
        InputError: the propagator zooms, so that memory frames lie in windows, the frame asked nothing, the object
            remembers nothing, there is no pixel, or one lies outside.

    Source:
        STM, Figure 5.
    """
    if propagator.zoom is not None and propagator.zoom.most > 1:
        raise InputError("frames are seen through windows: propagate without a zoom to see where the network looks")
    asked = propagator.asked
    known = propagator.objects.index(object_id) if object_id in propagator.objects else propagator.bank.num_objects
    if asked is None or known >= propagator.bank.num_objects:
        raise InputError(f"object {object_id} was not looked for in this frame: step on to one after its mask")
    outside = [pixel for pixel in pixels if not (0 <= pixel[0] < size[0] and 0 <= pixel[1] < size[1])]
    if outside or not pixels:
        raise InputError(f"pixels {list(outside)} are not in a frame of {size[1]}x{size[0]}: give (row, column)")
    cells = torch.tensor([_cell(pixel, asked, size) for pixel in pixels], device=asked.query.key.device)
    frames, memory = propagator.bank.of_object(known)
    shares = cell_shares(propagator.network, asked.query, memory, cells)[0].mean(dim=0)
    order = sorted(range(len(frames)), key=frames.__getitem__)
    shares = shares[order].float().cpu()
    maps = unpad(shares.repeat_interleave(STRIDE, dim=1).repeat_interleave(STRIDE, dim=2), asked.view.padding)
    return AttentionMaps([frames[place] for place in order], shares.sum(dim=(1, 2)), maps)


def _cell(pixel: tuple[int, int], asked: AttentionQuery, size: tuple[int, int]) -> tuple[int, int]:
    """Row and column of the cell that holds a pixel."""
    left, _, top, _ = asked.view.padding
    (row, column), (height, width) = pixel, asked.view.size
    return (int((row + 0.5) * height / size[0]) + top) // STRIDE, (
        int((column + 0.5) * width / size[1]) + left
    ) // STRIDE
