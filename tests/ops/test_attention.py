"""The memory read against a loop-written one, and its laws."""

import math

import torch

from vosmem.ops.attention import read_memory


def by_hand(memory_key, memory_value, query_key):
    """The paper's equation, cell by cell."""
    objects, channels, cells = query_key.shape
    out = torch.zeros(objects, memory_value.shape[1], cells, dtype=query_key.dtype)
    for o in range(objects):
        for i in range(cells):
            scores = [float(memory_key[o, :, j] @ query_key[o, :, i]) for j in range(memory_key.shape[2])]
            weights = [math.exp(score / math.sqrt(channels)) for score in scores]
            for j, weight in enumerate(weights):
                out[o, :, i] += weight / sum(weights) * memory_value[o, :, j]
    return out


def draw(objects=2, key=3, value=4, memory=6, query=5):
    shapes = (objects, key, memory), (objects, value, memory), (objects, key, query)
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def test_equals_the_loop():
    memory_key, memory_value, query_key = draw()
    torch.testing.assert_close(
        read_memory(memory_key, memory_value, query_key), by_hand(memory_key, memory_value, query_key)
    )


def test_one_cell_returns_its_value():
    memory_key, memory_value, query_key = draw(memory=1)
    torch.testing.assert_close(read_memory(memory_key, memory_value, query_key), memory_value.expand(-1, -1, 5))


def test_order_of_the_memory_does_not_matter():
    memory_key, memory_value, query_key = draw()
    order = torch.randperm(6)
    torch.testing.assert_close(
        read_memory(memory_key[..., order], memory_value[..., order], query_key),
        read_memory(memory_key, memory_value, query_key),
    )


def test_remembering_everything_twice_changes_nothing():
    memory_key, memory_value, query_key = draw()
    twice = [torch.cat([part, part], dim=2) for part in (memory_key, memory_value)]
    torch.testing.assert_close(read_memory(*twice, query_key), read_memory(memory_key, memory_value, query_key))
