"""The memory read: against a loop, and its properties."""

import math

import pytest
import torch
import torch.nn.functional as F
from packaging.version import Version
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from vosmem.errors import InputError
from vosmem.ops import attention, matching
from vosmem.ops.attention import MemoryReadConfig, read_memory

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
@pytest.mark.parametrize("method", ["matmul", "sdpa"])
def test_every_method_equals_the_loop(similarity, method):
    tensors = draw()
    torch.testing.assert_close(
        read_memory(*tensors, similarity, MemoryReadConfig(method=method)), by_hand(*tensors, similarity)
    )


@each_similarity
@pytest.mark.parametrize("entries", [1, 12, 30])
def test_chunks_equal_the_loop(similarity, entries, monkeypatch):
    monkeypatch.setattr(attention, "CHUNK_ENTRIES", entries)
    tensors, sizes = draw(), []
    chunk = attention._read_chunk
    monkeypatch.setattr(attention, "_read_chunk", lambda *args: sizes.append(args[2].shape[1]) or chunk(*args))
    with torch.no_grad():
        torch.testing.assert_close(read_memory(*tensors, similarity), by_hand(*tensors, similarity))
    assert sum(sizes) == 2 * 5 and max(sizes) == max(1, entries // 6)  # two objects in turn, six cells each
    sizes.clear()
    read_memory(*tensors, similarity)
    assert sizes == [5], "with gradients there is one chunk"


@each_similarity
@pytest.mark.parametrize("method", ["matmul", "sdpa"])
def test_shared_keys_are_matched_once(similarity, method, monkeypatch):
    memory_key, memory_value, query_key = draw(objects=3)
    shared = memory_key[:1].expand(3, -1, -1), memory_value, query_key[:1].expand(3, -1, -1)
    copied = [part.clone() for part in shared]
    rows = []
    squares = matching._squares
    monkeypatch.setattr(matching, "_squares", lambda keys, width: rows.append(len(keys)) or squares(keys, width))
    reading = MemoryReadConfig(method=method)
    torch.testing.assert_close(read_memory(*shared, similarity, reading), read_memory(*copied, similarity, reading))
    assert rows == ([1, 3] if similarity == "l2" else [])


@each_similarity
def test_top_k_reads_the_most_similar_cells(similarity):
    """The result equals a read of only these cells."""
    memory_key, memory_value, query_key = draw(objects=1, query=1)
    full = torch.tensor([SIMILARITIES[similarity](memory_key[0, :, j], query_key[0, :, 0]) for j in range(6)])
    best = full.topk(2).indices
    torch.testing.assert_close(
        read_memory(memory_key, memory_value, query_key, similarity, MemoryReadConfig(top_k=2)),
        by_hand(memory_key[:, :, best], memory_value[:, :, best], query_key, similarity),
    )
    many = MemoryReadConfig(top_k=99)
    torch.testing.assert_close(
        read_memory(memory_key, memory_value, query_key, similarity, many),
        by_hand(memory_key, memory_value, query_key, similarity),
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "x"}, "auto, matmul, sdpa"),
        ({"top_k": -1}, "1 or more"),
        ({"method": "sdpa", "top_k": 5}, "all cells"),
    ],
)
def test_impossible_read_settings(options, named):
    with pytest.raises(InputError, match=named):
        MemoryReadConfig(**options)


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
def test_a_memory_that_holds_everything_twice_changes_nothing(similarity):
    memory_key, memory_value, query_key = draw()
    twice = [torch.cat([part, part], dim=2) for part in (memory_key, memory_value)]
    torch.testing.assert_close(
        read_memory(*twice, query_key, similarity), read_memory(memory_key, memory_value, query_key, similarity)
    )


@pytest.mark.parametrize("method", ["matmul", "sdpa"])
def test_distances_of_bfloat16_are_those_of_its_numbers(method):
    """Long keys that hardly differ: bfloat16 cannot distinguish their squares."""
    key, value, query = draw(objects=1, key=16, memory=12)
    key, query = (20 + key / 4).bfloat16(), (20 + query / 4).bfloat16()
    expected = read_memory(key.double(), value.bfloat16().double(), query.double(), "l2")
    found = read_memory(key, value.bfloat16(), query, "l2", MemoryReadConfig(method=method))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=0.02)


class LargestTensor(TorchDispatchMode):
    """Records the largest number of bytes of any result."""

    nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not func.is_view:
            self.nbytes = max(self.nbytes, result.nbytes)
        return result


@each_similarity
@pytest.mark.parametrize("top_k", [None, 3])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_memory_of_another_type_is_converted_in_blocks(similarity, top_k, stored, monkeypatch):
    """It is read as if converted whole, and no result is as large as the memory in float32."""
    monkeypatch.setattr(attention, "CHUNK_ENTRIES", 5 * 40)
    monkeypatch.setattr(matching, "BLOCK_ENTRIES", 3 * 40)
    key, value, query = (part.float() for part in draw(objects=2, memory=600, value=8))
    key, value = key.to(stored), value.to(stored)
    reading = MemoryReadConfig(top_k=top_k)
    with torch.no_grad():
        expected = read_memory(key.float(), value.float(), query, similarity, reading)
        with LargestTensor() as largest:
            found = read_memory(key, value, query, similarity, reading)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert largest.nbytes <= 4 * 5 * 600, "the affinity of one object; its values have 8 x 600 entries"


@pytest.mark.skipif(Version(torch.__version__) < Version("2.7"), reason="fake CUDA tensors of torch 2.6 need a driver")
@each_similarity
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("marked", [False, True])
def test_a_fused_kernel_gets_what_it_takes(similarity, dtype, marked, monkeypatch):
    """On a GPU kernels need an axis of heads, aligned channels, one type and no bias; a GPU without them is chunked."""
    asked = []
    kernel = torch.ops.aten._scaled_dot_product_efficient_attention

    def fused(*parts, scale):
        assert not torch.backends.cuda.math_sdp_enabled(), "the kernel that holds the whole affinity"
        asked.append(parts)
        return kernel(*parts, None, False, scale=scale)[0]

    shapes = (3, 64 + marked, 200), (3, 512, 200), (3, 64, 100)
    with FakeTensorMode(), torch.no_grad():
        key, value, query = (torch.empty(shape, device="cuda", dtype=dtype) for shape in shapes)
        far = torch.empty(3, 100, device="cuda") if marked else None
        chunked = read_memory(key, value, query, similarity, penalty=far)
        monkeypatch.setattr(attention, "is_fused", lambda *parts: True)
        monkeypatch.setattr(F, "scaled_dot_product_attention", fused)
        found = read_memory(key, value, query, similarity, penalty=far)
    for readout in (chunked, found):
        assert readout.shape == (3, 512, 100) and readout.dtype == dtype and readout.device.type == "cuda"
    ((queries, keys, values),) = asked
    assert {part.ndim for part in (queries, keys, values)} == {4}
    assert {part.dtype for part in (queries, keys, values)} == {dtype}
    assert queries.shape[-1] == keys.shape[-1] and keys.shape[-1] % 8 == values.shape[-1] % 8 == 0


@each_similarity
def test_channels_without_a_distance_are_the_memory_itself(similarity):
    """Products need no copy of the keys."""
    key, query = torch.randn(1, 6, 64), torch.randn(1, 5, 64)
    keys, _ = matching.Matching(1.0, 64 if similarity == "l2" else None).folded(key, query)
    assert (keys.data_ptr() == key.data_ptr()) == (similarity == "dot")


def test_distances_keep_float32_under_autocast():
    memory_key, memory_value, query_key = (part.float() for part in draw())
    memory_key, query_key = memory_key + 30, query_key + 30  # far from zero, where squares leave bfloat16 no digits
    exact = read_memory(memory_key.double(), memory_value.double(), query_key.double(), "l2")
    with torch.autocast("cpu", torch.bfloat16):
        read = read_memory(memory_key, memory_value, query_key, "l2")
    torch.testing.assert_close(read.double(), exact, rtol=0.03, atol=0.03)


@each_similarity
@pytest.mark.parametrize("method", ["matmul", "sdpa"])
def test_a_penalty_lowers_marked_cells(similarity, method):
    """Against the softmax of the affinities written out."""
    memory_key, memory_value, query_key = draw()
    mark, penalty = (torch.rand(2, count, dtype=torch.float64) for count in (6, 5))
    s = SIMILARITIES[similarity]
    scores = torch.tensor(
        [[[s(memory_key[o, :, j], query_key[o, :, i]) for j in range(6)] for i in range(5)] for o in range(2)],
        dtype=torch.float64,
    ) / math.sqrt(3)
    weights = (scores - penalty[:, :, None] * mark[:, None]).softmax(dim=2)
    marked = torch.cat([memory_key, mark[:, None]], dim=1)
    read = read_memory(marked, memory_value, query_key, similarity, MemoryReadConfig(method=method), penalty)
    torch.testing.assert_close(read, memory_value @ weights.transpose(1, 2))


@each_similarity
def test_a_penalty_equal_for_all_memory_cells_cancels(similarity):
    """Why the penalty is one of pairs: the softmax cancels a penalty of query cells."""
    memory_key, memory_value, query_key = draw()
    marked = torch.cat([memory_key, torch.ones(2, 1, 6, dtype=torch.float64)], dim=1)
    read = read_memory(marked, memory_value, query_key, similarity, penalty=torch.rand(2, 5, dtype=torch.float64))
    torch.testing.assert_close(read, read_memory(memory_key, memory_value, query_key, similarity))


@each_similarity
@pytest.mark.parametrize("method", ["matmul", "sdpa"])
def test_log_weights_of_minus_infinity_exclude_cells(similarity, method):
    memory_key, memory_value, query_key = draw()
    log_weights = torch.tensor([0, -math.inf, 0, 0, -math.inf, 0], dtype=torch.float64).expand(2, -1)
    left = [0, 2, 3, 5]
    reading = MemoryReadConfig(method=method)
    torch.testing.assert_close(
        read_memory(memory_key, memory_value, query_key, similarity, reading, log_weights=log_weights),
        read_memory(memory_key[..., left], memory_value[..., left], query_key, similarity, reading),
        rtol=0,
        atol=1e-15,
    )


@each_similarity
def test_two_cells_of_half_weight_equal_one(similarity):
    memory_key, memory_value, query_key = draw()
    twice = [torch.cat([part, part[..., :1]], dim=2) for part in (memory_key, memory_value)]
    halves = torch.tensor([0.5, 1, 1, 1, 1, 1, 0.5], dtype=torch.float64).log().expand(2, -1)
    torch.testing.assert_close(
        read_memory(*twice, query_key, similarity, log_weights=halves),
        read_memory(memory_key, memory_value, query_key, similarity),
    )


@each_similarity
def test_shared_keys_with_penalty_and_weights(similarity):
    memory_key, memory_value, query_key = draw(objects=3)
    marked = torch.cat([memory_key, torch.rand(3, 1, 6, dtype=torch.float64)], dim=1)
    rows = [part[:1].expand(3, *part.shape[1:]) for part in (marked, query_key)]
    penalty, log_weights = (torch.rand(1, count, dtype=torch.float64).expand(3, -1) for count in (5, 6))
    torch.testing.assert_close(
        read_memory(rows[0], memory_value, rows[1], similarity, MemoryReadConfig(), penalty, log_weights),
        read_memory(
            rows[0].clone(), memory_value, rows[1].clone(), similarity, MemoryReadConfig(), penalty, log_weights
        ),
    )
