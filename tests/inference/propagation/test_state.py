"""The state of a propagator goes through a file and a new propagator unchanged, and weights-only loading reads it."""

import io

import pytest
import torch

from tests.end_to_end.faults import differing
from vosmem.inference.propagation.ensemble import make_propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import Adaptive, EveryN

POLICIES = [
    EveryN(interval=1, eviction="usage", max_frames=3, dtype="bf16"),
    Adaptive(threshold=0.0, least_certainty=0.0, eviction="novelty", max_frames=3, include_last=True),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("flip", [False, True])
def test_a_loaded_state_equals_the_saved_one(small_network, policy, flip):
    first, second = (make_propagator(small_network, policy, flip=flip, zoom=Zoom()) for _ in range(2))
    frames, mask = torch.rand(7, 3, 40, 56), torch.zeros(40, 56, dtype=torch.uint8)
    mask[4:20, 4:20], mask[24:38, 30:50] = 7, 9
    for t in range(6):
        first.step(frames[t], {0: mask // 9, 3: mask // 7}.get(t), {0: [9], 3: [7]}.get(t))
    content = io.BytesIO()
    torch.save(first.state_dict(), content)
    content.seek(0)
    second.load_state_dict(torch.load(content, weights_only=True))
    assert differing(first.state_dict(), second.state_dict()) == []
    assert second.objects == first.objects and second.memory_frames == first.memory_frames
    assert torch.equal(first.step(frames[6]), second.step(frames[6]))
    assert differing(first.state_dict(), second.state_dict()) == []
