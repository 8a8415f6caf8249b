"""How many objects are computed at a time: all with gradients, one on CPUs, many on GPUs."""

import pytest
import torch

from vosmem.ops.chunks import GPU_PIXELS, chunk_objects, split_objects


@pytest.mark.parametrize(
    ("device", "num_objects", "pixels", "expected"),
    [
        ("cpu", 10, 480 * 864, 1),
        ("mps", 10, 480 * 864, 1),
        ("cuda", 10, 480 * 864, 10),
        ("cuda", 10, GPU_PIXELS // 3, 3),
        ("cuda", 10, 2 * GPU_PIXELS, 1),
        ("cuda", 0, 480 * 864, 1),
    ],
)
def test_the_device_decides(device, num_objects, pixels, expected):
    assert chunk_objects(num_objects, pixels, torch.device(device)) == expected


def test_rows_are_split_only_without_gradients():
    rows = torch.arange(3), torch.arange(6).view(3, 2)
    assert len(split_objects(64, *rows)) == 1
    with torch.no_grad():
        chunks = split_objects(64, *rows)
    assert [len(first) for first, _ in chunks] == [1, 1, 1]
    for joined, whole in zip(map(torch.cat, zip(*chunks, strict=True)), rows, strict=True):
        assert torch.equal(joined, whole)


@pytest.mark.parametrize("name", ["small_stm", "small_remn_on_stcn"])
def test_chunks_of_objects_are_equal(name, request, monkeypatch):
    """Decoder and memory encoder give the same result for one and for all objects at a time."""
    network = request.getfixturevalue(name)
    frames, masks = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 32, 48) / 3
    results = []
    for size in (1, 2, 3):
        monkeypatch.setattr("vosmem.ops.chunks.chunk_objects", lambda *arguments, size=size: size)
        with torch.no_grad():
            memory = network.encode_memory(frames, masks)
            results.append(network.segment(network.encode_query(frames), memory))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-4, atol=1e-4)
