"""What is foretold of the memory is what the bank takes."""

import pytest
import torch

from vosmem.inference import Propagator
from vosmem.inputs.estimate import memory_bytes, memory_frames
from vosmem.memory.policy import EveryN


@pytest.mark.parametrize(
    ("num_frames", "interval", "num_objects"), [(1, 5, 1), (2, 5, 1), (6, 2, 2), (7, 2, 1), (8, 3, 3)]
)
def test_the_estimate_is_what_a_run_takes(small_network, num_frames, interval, num_objects):
    propagator = Propagator(small_network, EveryN(interval=interval))
    mask = torch.zeros(24, 40, dtype=torch.uint8)
    for k in range(num_objects):
        mask[4 * k : 4 * k + 3, 4:20] = k + 1
    most = 0
    for t in range(num_frames):
        propagator.step(torch.rand(3, 24, 40), mask if t == 0 else None)
        most = max(most, len(propagator.memory_frames))
    assert most == memory_frames(num_frames, interval)
    widths = {"key_channels": 8, "value_channels": 16, "shared_keys": type(small_network).__name__ == "REMN"}
    assert propagator.memory_bytes == memory_bytes((40, 24), num_frames, num_objects, interval, **widths)
