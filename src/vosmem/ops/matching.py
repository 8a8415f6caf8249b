"""The affinity of query cells and memory cells: a matrix, or channels that a fused attention kernel multiplies."""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Similarity = Literal["dot", "l2"]
BLOCK_ENTRIES = 2**23  # of memory keys that are converted to another type at a time: 32 MB in float32
ALIGNMENT = 8  # channels: fused kernels take multiples of 16 bytes only
SQUARE_UNIT = 64.0  # of the folded squares, a power of two that keeps them in the range of float16


class Matching(NamedTuple):
    """How the cells of a memory are compared with query cells, before the softmax.

    Keys may have one channel more than queries have for the distance, a mark; queries then have its penalty.
    """

    scale: float  # of the products
    width: int | None  # channels of the distance; None for products only
    centre: Float[Tensor, "P 1 Ck"] | None = None  # subtracted from the keys; queries are centred by the caller
    log_weights: Float[Tensor, "P 1 N"] | None = None  # added for each memory cell

    def row(self, index: int) -> "Matching":
        """Return the matching of one object."""
        parts = (part if part is None else part[index : index + 1] for part in (self.centre, self.log_weights))
        return Matching(self.scale, self.width, *parts)

    def affinity(self, keys: Float[Tensor, "P N Ck"], queries: Float[Tensor, "P n Ck"]) -> Float[Tensor, "P n N"]:
        """Compute the affinity matrix; keys of another type are converted in blocks, never all at once."""
        if keys.dtype == queries.dtype or torch.is_grad_enabled():
            return self._affinity(keys, queries, self.log_weights)
        blocks = keys.split(max(1, BLOCK_ENTRIES // keys.shape[-1]), dim=1)
        parts = [self._affinity(block, queries, None) for block in blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def _affinity(self, keys: Tensor, queries: Tensor, log_weights: Tensor | None) -> Tensor:
        if self.width is None and log_weights is None:
            return torch.matmul(queries * self.scale, keys.to(queries.dtype).transpose(1, 2))
        # Differences of squares lose their last digits first: at least float32, also within autocast.
        with torch.autocast(keys.device.type, enabled=False):
            keys, offset = at_least_float32(keys), None
            if self.width is not None:
                keys = keys if self.centre is None else _moved(keys, self.centre)
                offset = -_squares(keys, self.width).transpose(1, 2) / math.sqrt(self.width)
            if log_weights is not None:
                added = at_least_float32(log_weights)
                offset = added if offset is None else offset + added
            assert offset is not None
            return torch.baddbmm(offset, at_least_float32(queries) * self.scale, keys.transpose(1, 2))

    def folded(
        self, keys: Float[Tensor, "P N Ck"], queries: Float[Tensor, "P n Ck"]
    ) -> tuple[Float[Tensor, "P N Cf"], Float[Tensor, "P n Cf"]]:
        """Fold the distance into further channels, so that scaled products are the affinity and no bias is needed.

        The squares of half types are split into three numbers of the type, whose sum has the digits of float32; kernels
        add products in float32. Channels of zeros fill the width up to what fused kernels take.
        """
        if self.width is not None:
            squares = _squares(at_least_float32(keys), self.width) / (-2 * SQUARE_UNIT)
            parts = _split(squares, keys.dtype)
            keys = torch.cat([keys, *parts], dim=-1)
            queries = torch.cat([queries, queries.new_full((*queries.shape[:2], len(parts)), SQUARE_UNIT)], dim=-1)
        missing = -keys.shape[-1] % ALIGNMENT
        return (F.pad(keys, (0, missing)), F.pad(queries, (0, missing))) if missing else (keys, queries)


def centred(
    keys: Float[Tensor, "P N Cm"], queries: Float[Tensor, "P hw Cq"], width: int
) -> tuple[Float[Tensor, "P 1 Cm"], Float[Tensor, "P hw Cq"]]:
    """Return the memory's mean key, and the queries without it, in float32 or more; a mark stays as it is.

    Distances stay the same, and their squares lose fewer digits, so that rounding rarely decides which cell is the last
    of the most similar ones.
    """
    dtype = torch.promote_types(keys.dtype, torch.float32)
    centre = keys.mean(dim=1, keepdim=True, dtype=dtype)
    centre[..., width:] = 0
    return centre, _moved(at_least_float32(queries), centre)


def at_least_float32(x: Tensor) -> Tensor:
    """Raise half types to float32."""
    return x if x.dtype == torch.float64 else x.float()


def _moved(x: Float[Tensor, "P n Cx"], centre: Float[Tensor, "P 1 Cm"]) -> Float[Tensor, "P n Cx"]:
    return x - centre[..., : x.shape[-1]]


def _squares(keys: Float[Tensor, "P N Ck"], width: int) -> Float[Tensor, "P N 1"]:
    """Return the square of each memory key; the query's is the same for all cells, and cancels in the softmax."""
    return keys[..., :width].pow(2).sum(dim=-1, keepdim=True)


def _split(x: Float[Tensor, "P N 1"], dtype: torch.dtype) -> list[Tensor]:
    """Split numbers into a sum of numbers of a type."""
    if dtype.itemsize > 2:
        return [x.to(dtype)]
    parts = []
    for _ in range(3):
        parts.append(x.to(dtype))
        x = x - parts[-1].to(x.dtype)
    return parts
