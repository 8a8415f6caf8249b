"""Which frames are in memory at each frame, against the paper's rule written out."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.memory.policy import EveryN, First, FirstAndPrevious, Previous

FRAMES = 13


def memory_at_each_frame(network, policy):
    propagator = Propagator(network, policy)
    mask = torch.zeros(16, 16, dtype=torch.uint8)
    mask[4:12, 4:12] = 1
    held = []
    for t in range(FRAMES):
        propagator.step(torch.rand(3, 16, 16), mask if t == 0 else None)
        held.append(sorted(propagator.memory_frames))
    return held[1:]


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (First(), lambda t: {0}),
        (Previous(), lambda t: {t - 1}),
        (FirstAndPrevious(), lambda t: {0, t - 1}),
        (EveryN(interval=5), lambda t: {*range(0, t, 5), t - 1}),
        (EveryN(interval=2), lambda t: {*range(0, t, 2), t - 1}),
        (EveryN(interval=1), lambda t: set(range(t))),
    ],
)
def test_frames_in_memory(small_network, policy, rule):
    assert memory_at_each_frame(small_network, policy) == [sorted(rule(t)) for t in range(1, FRAMES)]


def test_no_frame_is_encoded_that_nobody_reads(small_network, monkeypatch):
    calls = []
    encode = small_network.encode_memory
    monkeypatch.setattr(
        small_network, "encode_memory", lambda *args, **options: calls.append(1) or encode(*args, **options)
    )
    memory_at_each_frame(small_network, First())
    assert len(calls) == 1
    calls.clear()
    memory_at_each_frame(small_network, EveryN(interval=5))
    assert len(calls) == FRAMES - 1  # each frame but the last, once


def test_impossible_interval():
    with pytest.raises(InputError, match="use 1"):
        EveryN(interval=0)
