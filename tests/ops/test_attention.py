"""The memory read against a loop-written one, and its laws."""

import math

import pytest
import torch

from vosmem.ops.attention import read_memory

SIMILARITIES = {"dot": lambda k, q: float(k @ q), "l2": lambda k, q: -float((k - q).square().sum())}
each_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)


def by_hand(memory_key, memory_value, query_key, similarity):
    """The equation, cell by cell."""
    s = SIMILARITIES[similarity]
    objects, channels, cells = query_key.shape
    out = torch.zeros(objects, memory_value.shape[1], cells, dtype=query_key.dtype)
    for o in range(objects):
        for i in range(cells):
            scores = [s(memory_key[o, :, j], query_key[o, :, i]) for j in range(memory_key.shape[2])]
            weights = [math.exp(score / math.sqrt(channels)) for score in scores]
            for j, weight in enumerate(weights):
                out[o, :, i] += weight / sum(weights) * memory_value[o, :, j]
    return out


def draw(objects=2, key=3, value=4, memory=6, query=5):
    shapes = (objects, key, memory), (objects, value, memory), (objects, key, query)
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


@each_similarity
def test_equals_the_loop(similarity):
    tensors = draw()
    torch.testing.assert_close(read_memory(*tensors, similarity), by_hand(*tensors, similarity))


@each_similarity
def test_one_cell_returns_its_value(similarity):
    memory_key, memory_value, query_key = draw(memory=1)
    read = read_memory(memory_key, memory_value, query_key, similarity)
    torch.testing.assert_close(read, memory_value.expand(-1, -1, 5))


@each_similarity
def test_order_of_the_memory_does_not_matter(similarity):
    memory_key, memory_value, query_key = draw()
    order = torch.randperm(6)
    torch.testing.assert_close(
        read_memory(memory_key[..., order], memory_value[..., order], query_key, similarity),
        read_memory(memory_key, memory_value, query_key, similarity),
    )


@each_similarity
def test_remembering_everything_twice_changes_nothing(similarity):
    memory_key, memory_value, query_key = draw()
    twice = [torch.cat([part, part], dim=2) for part in (memory_key, memory_value)]
    torch.testing.assert_close(
        read_memory(*twice, query_key, similarity), read_memory(memory_key, memory_value, query_key, similarity)
    )


def test_distances_keep_float32_under_autocast():
    memory_key, memory_value, query_key = (part.float() for part in draw())
    memory_key, query_key = memory_key + 30, query_key + 30  # far from zero, where squares leave bfloat16 no digits
    exact = read_memory(memory_key.double(), memory_value.double(), query_key.double(), "l2")
    with torch.autocast("cpu", torch.bfloat16):
        read = read_memory(memory_key, memory_value, query_key, "l2")
    torch.testing.assert_close(read.double(), exact, rtol=0.03, atol=0.03)
