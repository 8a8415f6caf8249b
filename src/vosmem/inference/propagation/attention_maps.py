"""Attention maps: which memory cells the network attends to for a pixel of the current frame."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.tracing import Tracer
from vosmem.inference.propagation.view import View
from vosmem.networks.network import cell_shares
from vosmem.ops.padding import STRIDE, unpad
from vosmem.shapes import Query


class AttentionMaps(NamedTuple):
    """Attention of some pixels of a frame."""

    frames: list[int]  # indices of the frames in memory, ascending
    shares: Float[Tensor, "T"]  # attention of each frame in memory; in [0, 1], summing to 1
    maps: Float[Tensor, "T H W"]  # attention of the cell at each pixel, at the network's size


class AttentionTracer(Tracer):
    """Keeps the key of the current frame, so that its read can be repeated for single pixels.

    Args:
        propagator: a propagator of whole frames; its `tracer` is set.

    Raises:
        InputError: the propagator zooms, so that the frames in memory are windows.
    """

    def __init__(self, propagator: Propagator):
        zoom = propagator.views.zoom
        if zoom is not None and zoom.most > 1:
            raise InputError(f"attention maps need whole frames, and zoom.most is {zoom.most}: propagate without zoom")
        self.propagator = propagator
        self._query: Query | None = None
        self._view: View | None = None
        propagator.tracer = self

    def on_read(self, query: Query | None, view: View) -> None:
        """Keep the key only: the features would take more memory than the bank."""
        self._view = view
        if query is not None:
            empty = query.key.new_empty(0, 0, 0, 0)
            query = query._replace(value=empty, f16=empty, f8=empty, f4=empty)
        self._query = query

    @torch.inference_mode()
    def maps(self, pixels: Sequence[tuple[int, int]], object_id: int, size: tuple[int, int]) -> AttentionMaps:
        """Compute the attention of pixels of the last step's frame, by the network's own read.

        Args:
            pixels: row and column; the mean over several pixels is taken.
            object_id: the object whose memory is read; objects of networks with shared keys have the same maps.
            size: height and width of the frames, in which the pixels are counted.

        Raises:
            InputError: the frame read nothing, the object has no memory, there is no pixel, or one lies outside.

        Source:
            STM, Figure 5.
        """
        bank, objects = self.propagator.bank, self.propagator.objects
        row = objects.index(object_id) if object_id in objects else bank.num_objects
        if self._query is None or self._view is None or row >= bank.num_objects:
            raise InputError(f"object {object_id} has no memory that this frame read: step to a frame after its mask")
        outside = [pixel for pixel in pixels if not (0 <= pixel[0] < size[0] and 0 <= pixel[1] < size[1])]
        if outside or not pixels:
            raise InputError(f"pixels {outside} are not in a frame of {size[1]}x{size[0]}: give (row, column)")
        left, _, top, _ = self._view.padding
        height, width = self._view.size
        scaled = (torch.tensor(pixels, dtype=torch.float64) + 0.5) * torch.tensor([height, width]) / torch.tensor(size)
        cells = (scaled.long() + torch.tensor([top, left])) // STRIDE
        frames, memory = bank.of_object(row)
        query = self._query
        shares = cell_shares(self.propagator.network, query, memory, cells.to(query.key.device))[0].mean(dim=0)
        order = sorted(range(len(frames)), key=frames.__getitem__)
        shares = shares[order].float().cpu()
        maps = unpad(shares.repeat_interleave(STRIDE, dim=1).repeat_interleave(STRIDE, dim=2), self._view.padding)
        return AttentionMaps([frames[index] for index in order], shares.sum(dim=(1, 2)), maps)
