"""The space-time memory read: every query cell attends to the memory cells."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vosmem.errors import InputError
from vosmem.ops.matching import Matching, Similarity, at_least_float32, centred

METHODS = ("auto", "matmul", "sdpa")
CHUNK_ENTRIES = 2**23  # of the affinity that exist at a time without gradients: 32 MB in float32
GPU_CHUNK_ENTRIES = 2**26  # the same on a GPU, where every chunk costs the start of its kernels
FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


@dataclass(frozen=True)
class MemoryReadConfig:
    """How a memory is read. The method does not change the result, `top_k` does.

    Args:
        method: `matmul` (products and a softmax, in chunks), `sdpa` (PyTorch's attention kernel), or `auto`: sdpa on
            CUDA, else matmul. On CUDA, matmul takes over where no kernel avoids the whole affinity.
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
    keys, values, queries = memory_key.transpose(1, 2), memory_value.transpose(1, 2), query_key.transpose(1, 2)
    if keys.dtype != queries.dtype and (torch.is_grad_enabled() or log_weights is not None):
        keys, values = keys.to(queries.dtype), values.to(queries.dtype)
    by_row = [part for part in (keys, queries, penalty, log_weights) if part is not None]
    if keys.shape[0] > 1 and all(part.stride(0) == 0 for part in by_row):  # all objects have one affinity
        keys, queries, *_ = (part[:1] for part in by_row)
        penalty = None if penalty is None else penalty[:1]
        log_weights = None if log_weights is None else log_weights[:1]
    dtype, width = queries.dtype, queries.shape[-1]
    scale = (2 if similarity == "l2" else 1) / math.sqrt(width)
    if penalty is not None:  # its product with the mark is one more channel of the keys' product
        queries = torch.cat([queries, (-penalty / scale)[..., None].to(dtype)], dim=-1)
    matching = Matching(scale, width if similarity == "l2" else None)
    # Weights may need gradients, which PyTorch's kernels do not promise.
    takes_kernel = not memory_read.top_k and log_weights is None and keys.dtype == values.dtype == dtype
    if takes_kernel and memory_read.method != "matmul" and (memory_read.method == "sdpa" or keys.is_cuda):
        read = _by_kernel(keys, values, queries, matching)
        if read is not None:
            return read.transpose(1, 2)
    if similarity == "l2" and memory_read.top_k:
        centre, queries = centred(keys, queries, width)
        matching = matching._replace(centre=centre)
    if log_weights is not None:
        matching = matching._replace(log_weights=log_weights[:, None])
    return _by_matmul(keys, values, queries, matching, memory_read.top_k or None, dtype).transpose(1, 2)


def _by_matmul(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    matching: Matching,
    top_k: int | None,
    dtype: torch.dtype,
) -> Float[Tensor, "O hw Cv"]:
    """Read in chunks of query cells, so that the affinity stays small; with gradients in one piece."""
    if torch.is_grad_enabled():
        return _read_chunk(keys, values, queries, matching, top_k, dtype)
    if len(keys) > 1 and not keys.is_cuda:  # one object at a time: threads share a product more evenly than three
        rows = enumerate(zip(keys.split(1), values.split(1), queries.split(1), strict=True))
        return torch.cat([_by_matmul(*row, matching.row(index), top_k, dtype) for index, row in rows])
    entries = (GPU_CHUNK_ENTRIES if keys.is_cuda else CHUNK_ENTRIES) // len(keys)
    if values.dtype != dtype and top_k is None:
        return _read_blocks(keys, values, queries, matching, max(1, entries // queries.shape[1]), dtype)
    chunks = queries.split(max(1, entries // keys.shape[1]), dim=1)
    parts = [_read_chunk(keys, values, chunk, matching, top_k, dtype) for chunk in chunks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _read_chunk(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P n Ck"],
    matching: Matching,
    top_k: int | None,
    dtype: torch.dtype,
) -> Float[Tensor, "O n Cv"]:
    affinity = matching.affinity(keys, queries)
    if top_k is None:
        return torch.matmul(affinity.softmax(dim=-1).to(values.dtype), values)
    # An exported graph of free size cannot compare top_k with the number of cells: it pads, by cells of weight 0.
    num_cells = affinity.shape[-1]
    gathers = not torch.is_grad_enabled() and affinity.device.type in ("cpu", "cuda")
    if not gathers:
        affinity = F.pad(affinity, (0, top_k), value=-torch.inf)
    found, cells = affinity.topk(min(top_k, num_cells) if gathers else top_k, dim=-1, sorted=False)
    weights = found.softmax(dim=-1).to(dtype)
    if gathers:
        return _weighted_sums(cells, weights, values)
    sparse = torch.zeros_like(affinity, dtype=dtype).scatter(-1, cells, weights)
    return torch.matmul(sparse[..., :num_cells], values.to(dtype))


def _read_blocks(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P n Ck"],
    matching: Matching,
    num_cells: int,
    dtype: torch.dtype,
) -> Float[Tensor, "O n Cv"]:
    """Read a memory of another type in blocks of cells, each converted once, with a running softmax."""
    rows = (len(values), queries.shape[1])
    greatest = at_least_float32(queries.new_full((len(keys), rows[1], 1), -torch.inf))
    total, readout = torch.zeros_like(greatest), greatest.new_zeros(*rows, values.shape[-1])
    for block_keys, block_values in zip(keys.split(num_cells, dim=1), values.split(num_cells, dim=1), strict=True):
        affinity = at_least_float32(matching.affinity(block_keys, queries))
        last, greatest = greatest, torch.maximum(greatest, affinity.amax(dim=-1, keepdim=True))
        weights, fade = (affinity - greatest).exp_(), (last - greatest).exp_()
        total = total.mul_(fade).add_(weights.sum(dim=-1, keepdim=True))
        readout = readout.mul_(fade).add_(torch.matmul(weights.to(dtype), block_values.to(dtype)))
    return readout.div_(total).to(dtype)


def _weighted_sums(
    cells: Int64[Tensor, "P n k"], weights: Float[Tensor, "P n k"], values: Float[Tensor, "O N Cv"]
) -> Float[Tensor, "O n Cv"]:
    """Sum the weighted values of a few cells: a small share of the products with all cells."""
    rows = (len(values), -1, -1)
    sums = [
        F.embedding_bag(index, own, per_sample_weights=shares, mode="sum")
        if own.dtype == shares.dtype
        else torch.matmul(shares[:, None], F.embedding(index, own).to(shares.dtype))[:, 0]
        for index, shares, own in zip(cells.expand(rows), weights.expand(rows), values, strict=True)
    ]
    return torch.stack(sums)


def _by_kernel(
    keys: Float[Tensor, "P N Ck"],
    values: Float[Tensor, "O N Cv"],
    queries: Float[Tensor, "P hw Ck"],
    matching: Matching,
) -> Float[Tensor, "O hw Cv"] | None:
    """Read by PyTorch's attention kernel; None on a GPU where no kernel avoids the whole affinity."""
    rows = (len(values), -1, -1)
    keys, queries = matching.folded(keys, queries)
    # Fused kernels refuse tensors without an axis of heads.
    q, k, v = queries.expand(rows)[:, None], keys.expand(rows)[:, None], values[:, None]
    with torch.autocast(keys.device.type, enabled=False):  # the types are chosen
        if not keys.is_cuda:
            return F.scaled_dot_product_attention(q, k, v, scale=matching.scale)[:, 0]
        if not is_fused(q, k, v):
            return None
        with sdpa_kernel(FUSED):  # an error rather than the whole affinity
            return F.scaled_dot_product_attention(q, k, v, scale=matching.scale)[:, 0]


def is_fused(
    queries: Float[Tensor, "O 1 n Cf"], keys: Float[Tensor, "O 1 N Cf"], values: Float[Tensor, "O 1 N Cv"]
) -> bool:
    """Return whether PyTorch has a kernel for these tensors that never holds the whole affinity."""
    parameters = torch.backends.cuda.SDPAParams(queries, keys, values, None, 0.0, False, False)
    able = torch.backends.cuda.can_use_flash_attention, torch.backends.cuda.can_use_efficient_attention
    return any(can(parameters) for can in able)
