"""The space-time memory read: every query cell asks every memory cell."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Similarity = Literal["dot", "l2"]


def read_memory(
    memory_key: Float[Tensor, "O Ck N"],
    memory_value: Float[Tensor, "O Cv N"],
    query_key: Float[Tensor, "O Ck hw"],
    similarity: Similarity = "dot",
) -> Float[Tensor, "O Cv hw"]:
    """Read the memory by non-local matching: `y_i = sum_j softmax_j(s(k_j, q_i) / sqrt(Ck)) v_j`.

    Args:
        memory_key: keys of all N cells of the memory.
        memory_value: their values.
        query_key: keys of the current frame, one row an object (the rows of one frame may be an expanded view).
        similarity: `dot` for `s = <k, q>`, `l2` for `s = -|k - q|^2`.

    Returns:
        for each query cell the mean of the memory's values, weighted over the memory axis.

    Source:
        STM section 3.3, equations 1 and 2; the division by sqrt(Ck) stands in the published code, not in the paper. The
        distance is STCN's, section 3.3.
    """
    affinity = _distances(memory_key, query_key) if similarity == "l2" else _products(memory_key, query_key)
    return torch.matmul(memory_value, affinity.softmax(dim=1).to(memory_value.dtype))


def _products(memory_key: Float[Tensor, "O Ck N"], query_key: Float[Tensor, "O Ck hw"]) -> Float[Tensor, "O N hw"]:
    return torch.matmul(memory_key.transpose(1, 2), query_key / math.sqrt(query_key.shape[1]))


def _distances(memory_key: Float[Tensor, "O Ck N"], query_key: Float[Tensor, "O Ck hw"]) -> Float[Tensor, "O N hw"]:
    """Up to the query's own square, which the softmax over the memory cancels."""
    # Differences of squares lose their last digits first: at least float32, whatever precision is around.
    with torch.autocast(memory_key.device.type, enabled=False):
        memory_key, query_key = (key if key.dtype == torch.float64 else key.float() for key in (memory_key, query_key))
        squares = memory_key.pow(2).sum(dim=1)[:, :, None]
        affinity = torch.baddbmm(squares, memory_key.transpose(1, 2), query_key, beta=-1, alpha=2)
        return affinity / math.sqrt(query_key.shape[1])
