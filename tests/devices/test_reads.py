"""The memory read on every device, next to float64 on the CPU."""

import pytest
import torch

from vosmem.ops.attention import MemoryReadConfig, read_memory

each_similarity = pytest.mark.parametrize("similarity", ["dot", "l2"])


def draw(dtype, stored=None, objects=3, channels=8, cells=60):
    generator = torch.Generator().manual_seed(2)
    shapes = (objects, channels, cells), (objects, 16, cells), (objects, channels, 20)
    key, value, query = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return [key.to(stored or dtype), value.to(stored or dtype), query]


def read(setting, tensors, similarity, **settings):
    """The read, and its expected result from the same numbers."""
    expected = read_memory(*(part.double() for part in tensors), similarity, **settings)
    with torch.inference_mode():
        found = read_memory(*(part.to(setting.device) for part in tensors), similarity, **settings)
    assert found.device.type == setting.device.type and found.dtype == setting.dtype
    return found, expected


@each_similarity
@pytest.mark.parametrize("method", ["auto", "matmul", "sdpa"])
def test_every_method_reads_the_same(setting, similarity, method):
    found, expected = read(setting, draw(setting.dtype), similarity, memory_read=MemoryReadConfig(method=method))
    setting.close(found, expected)


@each_similarity
def test_top_k(setting, similarity):
    """Rounding may change which cell is the last of the five."""
    found, expected = read(setting, draw(setting.dtype), similarity, memory_read=MemoryReadConfig(top_k=5))
    setting.close((found.cpu() - expected).abs().mean(), torch.zeros(()))


@each_similarity
@pytest.mark.parametrize("top_k", [None, 5])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_memory_of_another_type(setting, similarity, top_k, stored):
    tensors = draw(setting.dtype, stored)
    found, expected = read(setting, tensors, similarity, memory_read=MemoryReadConfig(top_k=top_k))
    setting.close((found.cpu() - expected).abs().mean(), torch.zeros(()))


@each_similarity
def test_shared_keys_and_weights(setting, similarity):
    """Objects that share their keys, with frames of half weight and one frame excluded."""
    key, value, query = draw(setting.dtype)
    log_weights = torch.tensor([0.5] * 40 + [0.0] * 20).log().expand(3, -1)
    exact = [part[:1].double().expand(3, *part.shape[1:]) for part in (key, query, log_weights)]
    expected = read_memory(exact[0], value.double(), exact[1], similarity, log_weights=exact[2])
    moved = [part[:1].to(setting.device).expand(3, *part.shape[1:]) for part in (key, query, log_weights)]
    with torch.inference_mode():
        found = read_memory(moved[0], value.to(setting.device), moved[1], similarity, log_weights=moved[2])
    setting.close(found, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_similarity
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("stored", ["own", "bf16"])
def test_a_read_never_holds_the_whole_affinity(similarity, dtype, stored):
    """Twenty frames of 854 x 480: the affinity of three objects has 315 million entries."""
    num_cells, device = 30 * 54, torch.device("cuda")
    shapes = (3, 20 * num_cells, 64), (3, 20 * num_cells, 512), (3, num_cells, 64)
    key, value, query = (torch.randn(shape, device=device, dtype=dtype).transpose(1, 2) for shape in shapes)
    if stored == "bf16":
        key, value = key.bfloat16(), value.bfloat16()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.inference_mode():
        read_memory(key, value, query, similarity)
    assert torch.cuda.max_memory_allocated() - before < 3 * 20 * num_cells * num_cells * dtype.itemsize
