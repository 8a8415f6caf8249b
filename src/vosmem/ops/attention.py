"""The space-time memory read: every query cell asks every memory cell."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def read_memory(
    memory_key: Float[Tensor, "O Ck N"],
    memory_value: Float[Tensor, "O Cv N"],
    query_key: Float[Tensor, "O Ck hw"],
) -> Float[Tensor, "O Cv hw"]:
    """Read the memory by non-local matching: `y_i = sum_j softmax_j(<k_j, q_i> / sqrt(Ck)) v_j`.

    Args:
        memory_key: keys of all N cells of the memory.
        memory_value: their values.
        query_key: keys of the current frame, one row an object (the rows of one frame may be an expanded view).

    Returns:
        for each query cell the mean of the memory's values, weighted over the memory axis.

    Source:
        STM section 3.3, equations 1 and 2. The division by sqrt(Ck) stands in the published code, not in the paper.
    """
    scaled = query_key / math.sqrt(query_key.shape[1])
    affinity = torch.matmul(memory_key.transpose(1, 2), scaled)
    return torch.matmul(memory_value, affinity.softmax(dim=1))
