"""The space-time memory read: every query cell asks every memory cell."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError

Similarity = Literal["dot", "l2"]
METHODS = ("auto", "matmul", "sdpa")
CHUNK_ENTRIES = 2**23  # of the affinity that exist at a time without gradients: 32 MB in float32


@dataclass(frozen=True)
class Reading:
    """How a memory is read; all ways give the same result but for `top_k`.

    Args:
        method: `matmul` (products and a softmax, in chunks), `sdpa` (PyTorch's attention kernel), or `auto`: sdpa on
            CUDA, else matmul.
        top_k: each query cell sees that many memory cells alone, its most alike; None for all. Networks that were
            trained on all lose a little, and look-alikes far down the list no longer add up.

    Raises:
        InputError: the method is unknown, `top_k` below 1, or both sdpa and `top_k` are asked for.
    """

    method: str = "auto"
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"reading.method={self.method!r} is unknown: use {', '.join(METHODS)}")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"reading.top_k={self.top_k} is not possible: use 1 or more, or null for all cells")
        if self.top_k is not None and self.method == "sdpa":
            raise InputError("reading.method=sdpa sees all cells: use matmul (or auto) with reading.top_k")


def read_memory(
    memory_key: Float[Tensor, "O Ck N"],
    memory_value: Float[Tensor, "O Cv N"],
    query_key: Float[Tensor, "O Ck hw"],
    similarity: Similarity = "dot",
    reading: Reading = Reading(),
) -> Float[Tensor, "O Cv hw"]:
    """Read the memory by non-local matching: `y_i = sum_j softmax_j(s(k_j, q_i) / sqrt(Ck)) v_j`.

    Args:
        memory_key: keys of all N cells of the memory. Rows that are one tensor, expanded, are matched once.
        memory_value: their values. Fastest where cells are contiguous (strides as of a transposed (O, N, C) tensor),
            for keys as well.
        query_key: keys of the current frame, one row an object (the rows of one frame may be an expanded view).
        similarity: `dot` for `s = <k, q>`, `l2` for `s = -|k - q|^2`.
        reading: which way.

    Returns:
        for each query cell the mean of the memory's values, weighted over the memory axis.

    Source:
        STM section 3.3, equations 1 and 2; the division by sqrt(Ck) stands in the published code, not in the paper. The
        distance is STCN's, section 3.3, and so is reading the most alike cells alone.
    """
    if memory_key.dtype != query_key.dtype:  # a memory kept at lower precision
        memory_key, memory_value = memory_key.to(query_key.dtype), memory_value.to(query_key.dtype)
    keys, values, queries = memory_key.transpose(1, 2), memory_value.transpose(1, 2), query_key.transpose(1, 2)
    if keys.shape[0] > 1 and keys.stride(0) == queries.stride(0) == 0:  # all objects match alike
        keys, queries = keys[:1], queries[:1]
    if reading.method == "sdpa" or (reading.method == "auto" and keys.is_cuda and reading.top_k is None):
        return _by_sdpa(keys, values, queries, similarity).transpose(1, 2)
    return _by_matmul(keys, values, queries, similarity, reading.top_k).transpose(1, 2)


def _by_matmul(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    similarity: Similarity,
    top_k: int | None,
) -> Float[Tensor, "O hw Cv"]:
    """Whole with gradients, else so many query cells at a time that the affinity stays small."""
    offset = _offset(keys) if similarity == "l2" else None
    if torch.is_grad_enabled():
        return _read_chunk(keys, values, queries, offset, top_k)
    num_queries = queries.shape[1]
    chunk = min(num_queries, max(1, CHUNK_ENTRIES // (len(keys) * keys.shape[1])))
    parts = [
        _read_chunk(keys, values, queries[:, start : start + chunk], offset, top_k)
        for start in range(0, num_queries, chunk)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _read_chunk(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P n Ck"],
    offset: Float[Tensor, "P 1 N"] | None,
    top_k: int | None,
) -> Float[Tensor, "O n Cv"]:
    scale = 1 / math.sqrt(keys.shape[-1])
    if offset is None:
        affinity = torch.matmul(queries * scale, keys.transpose(1, 2))
    else:
        # Differences of squares lose their last digits first: at least float32, whatever precision is around.
        with torch.autocast(keys.device.type, enabled=False):
            queries = _at_least_float32(queries) * (2 * scale)
            affinity = torch.baddbmm(offset, queries, _at_least_float32(keys).transpose(1, 2))
    if top_k is not None and top_k < affinity.shape[-1]:
        least = affinity.topk(top_k, dim=-1).values[..., -1:]
        affinity = affinity.masked_fill(affinity < least, -torch.inf)
    return torch.matmul(affinity.softmax(dim=-1).to(values.dtype), values)


def _by_sdpa(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    similarity: Similarity,
) -> Float[Tensor, "O hw Cv"]:
    rows = (len(values), -1, -1)
    scale = 1 / math.sqrt(keys.shape[-1])
    if similarity == "dot":
        return F.scaled_dot_product_attention(queries.expand(rows), keys.expand(rows), values, scale=scale)
    bias = _offset(keys).to(queries.dtype).expand(rows)
    return F.scaled_dot_product_attention(
        queries.expand(rows), keys.expand(rows), values, attn_mask=bias, scale=2 * scale
    )


def _offset(keys: Float[Tensor, "P N Ck"]) -> Float[Tensor, "P 1 N"]:
    """What a memory cell's own square adds to its affinity; the query's is the same for all cells, and cancels."""
    return -_at_least_float32(keys).pow(2).sum(dim=-1)[:, None] / math.sqrt(keys.shape[-1])


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
