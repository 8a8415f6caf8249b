"""Attention maps equal the weights of the network's own read."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference.propagation.attention_maps import AttentionTracer
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import EveryN
from vosmem.networks.network import cell_shares, frame_shares
from vosmem.ops.attention import MemoryReadConfig
from vosmem.shapes import Memory


def memory_and_frame(network, frames=3, objects=2, size=(32, 48)):
    """Memory of some frames, and another frame."""
    masks = torch.rand(1, objects, *size)
    parts = [network.encode_memory(torch.rand(1, 3, *size), masks) for _ in range(frames)]
    return Memory(*(torch.cat(part, dim=2) for part in zip(*parts, strict=True))), torch.rand(1, 3, *size)


def every_cell(height=2, width=3):
    return torch.tensor([(row, column) for row in range(height) for column in range(width)])


@pytest.mark.parametrize(
    "memory_read", [MemoryReadConfig(), MemoryReadConfig("matmul", top_k=4), MemoryReadConfig("sdpa")], ids=str
)
def test_shares_times_values_equal_the_read(small_network, memory_read):
    small_network.memory_read = memory_read
    with torch.no_grad():
        memory, frame = memory_and_frame(small_network)
        query = small_network.encode_query(frame)
        shares = cell_shares(small_network, query, memory, every_cell())
        read = torch.einsum("opthw,octhw->ocp", shares, memory.value)
        torch.testing.assert_close(read, small_network.read(query, memory).flatten(2), rtol=1e-4, atol=1e-5)


def test_cell_shares_sum_to_frame_shares(small_network):
    with torch.no_grad():
        memory, frame = memory_and_frame(small_network)
        query = small_network.encode_query(frame)
        shares = cell_shares(small_network, query, memory, every_cell())
    torch.testing.assert_close(shares.sum(dim=(2, 3, 4)), torch.ones(2, 6))
    torch.testing.assert_close(shares.sum(dim=(3, 4)).mean(dim=1), frame_shares(small_network, query, memory))


def traced(network, size=(40, 70), short_side=None, steps=4, late=None):
    mask = torch.zeros(size, dtype=torch.uint8)
    mask[4:20, 4:30] = 1
    tracer = AttentionTracer(Propagator(network, EveryN(interval=1, max_frames=4), short_side))
    for t in range(steps):
        tracer.propagator.step(torch.rand(3, *size), {0: mask, late: 2 * mask}.get(t))
    return tracer


def test_a_frame_attends_to_its_own_copy_in_memory_at_the_same_cell(small_remn):
    """REMN's keys of query and memory are one function, so each cell is most similar to itself."""
    frame, mask = torch.rand(3, 40, 70), torch.zeros(40, 70, dtype=torch.uint8)
    mask[4:20, 4:30] = 1
    small_remn.key.weight.data *= 1000  # keys far apart, so that the softmax is sharp
    propagator = Propagator(small_remn, EveryN(interval=1))
    tracer = AttentionTracer(propagator)
    propagator.step(frame, mask)
    propagator.step(frame)
    found = tracer.maps([(21, 37)], 1, (40, 70))
    assert found.frames == [0] and found.maps.shape == (1, 40, 70)
    assert found.maps[0, 21, 37] == found.maps.max() > 0.9


@pytest.mark.parametrize("short_side", [None, 24])
def test_frames_are_sorted_after_evictions(small_network, short_side):
    tracer = traced(small_network, short_side=short_side, steps=6)
    found = tracer.maps([(0, 0), (39, 69)], 1, (40, 70))
    assert found.frames == tracer.propagator.memory_frames == sorted(found.frames) and 0 in found.frames
    assert float(found.shares.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("steps", "late", "pixels", "object_id", "message"),
    [
        (1, None, [(0, 0)], 1, "object 1 has no memory that this frame read"),
        (4, None, [(0, 0)], 9, "object 9 has no memory that this frame read"),
        (4, 3, [(0, 0)], 2, "object 2 has no memory that this frame read"),
        (4, None, [(40, 0)], 1, "are not in a frame of 70x40"),
        (4, None, [], 1, "are not in a frame of 70x40"),
    ],
)
def test_bad_pixels_and_objects_are_reported(small_stm, steps, late, pixels, object_id, message):
    with pytest.raises(InputError, match=message):
        traced(small_stm, steps=steps, late=late).maps(pixels, object_id, (40, 70))


def test_windows_are_refused(small_stm):
    with pytest.raises(InputError, match="propagate without zoom"):
        AttentionTracer(Propagator(small_stm, EveryN(), zoom=Zoom()))


def test_a_frame_that_reads_nothing_has_no_maps(small_stm):
    tracer = traced(small_stm)
    tracer.propagator.remove(1)
    tracer.propagator.step(torch.rand(3, 40, 70), torch.ones(40, 70, dtype=torch.uint8), (2,))
    with pytest.raises(InputError, match="object 2 has no memory"):
        tracer.maps([(0, 0)], 2, (40, 70))
