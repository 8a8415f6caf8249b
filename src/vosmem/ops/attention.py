"""The space-time memory read: every query cell attends to the memory cells."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from vosmem.errors import InputError

Similarity = Literal["dot", "l2"]
METHODS = ("auto", "matmul", "sdpa")
CHUNK_ENTRIES = 2**23  # of the affinity that exist at a time without gradients: 32 MB in float32


@dataclass(frozen=True)
class MemoryReadConfig:
    """How a memory is read. The method does not change the result, `top_k` does.

    Args:
        method: `matmul` (products and a softmax, in chunks), `sdpa` (PyTorch's attention kernel), or `auto`: sdpa on
            CUDA, else matmul.
        top_k: attend only to the `top_k` most similar memory cells; 0 for all cells, None for the network's convention
            (else all). A network that was trained on all cells loses little, and distant similar cells no longer add
            up.

    Raises:
        InputError: the method is unknown, `top_k` is below 0, or sdpa is combined with `top_k`.
    """

    method: str = "auto"
    top_k: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"memory_read.method={self.method!r} is unknown: use {', '.join(METHODS)}")
        if self.top_k is not None and self.top_k < 0:
            raise InputError(
                f"memory_read.top_k={self.top_k} is not possible: use 1 or more, 0 for all cells, or null for the "
                "network's convention"
            )
        if self.top_k and self.method == "sdpa":
            raise InputError(
                f"memory_read.method=sdpa attends to all cells, memory_read.top_k={self.top_k} does not: use "
                "method=matmul (or auto), or top_k=0"
            )

    def with_default(self, top_k: int | None) -> "MemoryReadConfig":
        """Return a copy that has the network's own `top_k` if none is set.

        Raises:
            InputError: the network's own `top_k` cannot be combined with the method.
        """
        return self if self.top_k is not None else replace(self, top_k=top_k)


def read_memory(
    memory_key: Float[Tensor, "O Ck N"],
    memory_value: Float[Tensor, "O Cv N"],
    query_key: Float[Tensor, "O Cq hw"],
    similarity: Similarity = "dot",
    memory_read: MemoryReadConfig = MemoryReadConfig(),
    penalty: Float[Tensor, "O hw"] | None = None,
    log_weights: Float[Tensor, "O N"] | None = None,
) -> Float[Tensor, "O Cv hw"]:
    """Read the memory by non-local matching: `y_i = sum_j softmax_j(s(k_j, q_i) / sqrt(Ck)) v_j`.

    Args:
        memory_key: keys of all N memory cells. Rows that are one expanded tensor are matched once.
        memory_value: values of the memory cells. Keys and values are fastest if cells are contiguous (a transposed
            (O, N, C) tensor).
        query_key: keys of the current frame, one row for each object (may be an expanded view).
        similarity: `dot` for `s = <k, q>`, `l2` for `s = -|k - q|^2`.
        memory_read: how the memory is read.
        penalty: subtracted before the softmax as `mark_j penalty_i`; memory keys then have a further channel, the mark.
        log_weights: added for each memory cell before the softmax: 0 changes nothing, -inf excludes the cell.

    Returns:
        for each query cell the mean of the memory's values, weighted over the memory axis.

    Source:
        STM section 3.3, equations 1 and 2; the division by sqrt(Ck) is the published code's, not the paper's. The
        distance is STCN's, section 3.3, and so is `top_k`. Penalty and weights are this project's.
    """
    if memory_key.dtype != query_key.dtype:  # a memory stored in lower precision
        memory_key, memory_value = memory_key.to(query_key.dtype), memory_value.to(query_key.dtype)
    keys, values, queries = memory_key.transpose(1, 2), memory_value.transpose(1, 2), query_key.transpose(1, 2)
    by_row = [part for part in (keys, queries, penalty, log_weights) if part is not None]
    if keys.shape[0] > 1 and all(part.stride(0) == 0 for part in by_row):  # all objects have one affinity
        keys, queries, *_ = (part[:1] for part in by_row)
        penalty = None if penalty is None else penalty[:1]
        log_weights = None if log_weights is None else log_weights[:1]
    if similarity == "l2" and memory_read.top_k:
        keys, queries = _centred(keys, queries)
    offset = _offset(keys[..., : queries.shape[-1]]) if similarity == "l2" else None
    if log_weights is not None:
        added = _at_least_float32(log_weights)[:, None]
        offset = added if offset is None else offset + added
    scale = (2 if similarity == "l2" else 1) / math.sqrt(queries.shape[-1])
    if penalty is not None:  # its product with the mark is one more channel of the keys' product
        queries = torch.cat([queries, (-penalty / scale)[..., None].to(queries.dtype)], dim=-1)
    # Weights may need gradients, which PyTorch's kernels do not promise.
    by_kernel = keys.is_cuda and not memory_read.top_k and log_weights is None
    if memory_read.method == "sdpa" or (memory_read.method == "auto" and by_kernel):
        return _by_sdpa(keys, values, queries, scale, offset).transpose(1, 2)
    return _by_matmul(keys, values, queries, scale, offset, memory_read.top_k or None).transpose(1, 2)


def _by_matmul(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    scale: float,
    offset: Float[Tensor, "P 1 N"] | None,
    top_k: int | None,
) -> Float[Tensor, "O hw Cv"]:
    """Read in chunks of query cells, so that the affinity stays small; with gradients in one piece."""
    if torch.is_grad_enabled():
        return _read_chunk(keys, values, queries, scale, offset, top_k)
    if len(keys) > 1:  # one object at a time: threads share a product more evenly than three products
        offsets = [None] * len(keys) if offset is None else offset.split(1)
        rows = zip(keys.split(1), values.split(1), queries.split(1), offsets, strict=True)
        return torch.cat([_by_matmul(*row[:3], scale, row[3], top_k) for row in rows])
    chunks = queries.split(max(1, CHUNK_ENTRIES // keys.shape[1]), dim=1)
    parts = [_read_chunk(keys, values, chunk, scale, offset, top_k) for chunk in chunks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _read_chunk(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P n Ck"],
    scale: float,
    offset: Float[Tensor, "P 1 N"] | None,
    top_k: int | None,
) -> Float[Tensor, "O n Cv"]:
    if offset is None:
        affinity = torch.matmul(queries * scale, keys.transpose(1, 2))
    else:
        # Differences of squares lose their last digits first: at least float32, also within autocast.
        with torch.autocast(keys.device.type, enabled=False):
            queries = _at_least_float32(queries) * scale
            affinity = torch.baddbmm(offset, queries, _at_least_float32(keys).transpose(1, 2))
    if top_k is None:
        return torch.matmul(affinity.softmax(dim=-1).to(values.dtype), values)
    # An exported graph of free size cannot compare top_k with the number of cells: it pads, by cells of weight 0.
    num_cells = affinity.shape[-1]
    gathers = not torch.is_grad_enabled() and affinity.device.type in ("cpu", "cuda")
    if not gathers:
        affinity = F.pad(affinity, (0, top_k), value=-torch.inf)
    found, cells = affinity.topk(min(top_k, num_cells) if gathers else top_k, dim=-1)
    weights = found.softmax(dim=-1).to(values.dtype)
    if gathers:
        return _weighted_sums(cells, weights, values)
    sparse = torch.zeros_like(affinity, dtype=values.dtype).scatter(-1, cells, weights)
    return torch.matmul(sparse[..., :num_cells], values)


def _weighted_sums(
    cells: Int64[Tensor, "P n k"], weights: Float[Tensor, "P n k"], values: Float[Tensor, "O N Cv"]
) -> Float[Tensor, "O n Cv"]:
    """Sum the weighted values of a few cells: a small share of the products with all cells."""
    rows = (len(values), -1, -1)
    sums = [
        F.embedding_bag(index, own, per_sample_weights=shares, mode="sum")
        for index, shares, own in zip(cells.expand(rows), weights.expand(rows), values, strict=True)
    ]
    return torch.stack(sums)


def _by_sdpa(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    scale: float,
    offset: Float[Tensor, "P 1 N"] | None,
) -> Float[Tensor, "O hw Cv"]:
    rows = (len(values), -1, -1)
    if offset is None:
        return F.scaled_dot_product_attention(queries.expand(rows), keys.expand(rows), values, scale=scale)
    with torch.autocast(keys.device.type, enabled=False):  # as in `_read_chunk`
        queries, keys, wide = (_at_least_float32(part) for part in (queries, keys, values))
        bias = offset.to(wide.dtype).expand(rows)
        readout = F.scaled_dot_product_attention(queries.expand(rows), keys.expand(rows), wide, bias, scale=scale)
    return readout.to(values.dtype)


def _centred(
    keys: Float[Tensor, "P N Cm"], queries: Float[Tensor, "P hw Cq"]
) -> tuple[Float[Tensor, "P N Cm"], Float[Tensor, "P hw Cq"]]:
    """Subtract the memory's mean key from keys and queries, in float32 or more; a mark stays as it is.

    Distances stay the same, and their squares lose fewer digits, so that rounding rarely decides which cell is the last
    of the most similar ones.
    """
    width = queries.shape[-1]
    keys, queries = _at_least_float32(keys), _at_least_float32(queries)
    centre = keys[..., :width].mean(dim=1, keepdim=True)
    return torch.cat([keys[..., :width] - centre, keys[..., width:]], dim=-1), queries - centre


def _offset(keys: Float[Tensor, "P N Ck"]) -> Float[Tensor, "P 1 N"]:
    """Return the square of each memory key in the affinity; the query's is the same for all cells, and cancels."""
    return -_at_least_float32(keys).pow(2).sum(dim=-1)[:, None] / math.sqrt(keys.shape[-1])


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
