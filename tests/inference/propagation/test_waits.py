"""A step of the propagator waits for the device only where a decision needs a number of it."""

import pytest
import torch

from tests.waits import DEVICE, on_meta
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom, measure_boxes, object_boxes
from vosmem.memory.policy import Adaptive, EveryN, First
from vosmem.networks import STM

NUM_FRAMES = 6


def run(network, device, policy, **settings):
    """Frame 0 with a mask on the CPU, then frames without masks."""
    propagator = Propagator(network, policy, **settings)
    mask = torch.zeros(48, 80, dtype=torch.uint8)
    mask[8:30, 8:30], mask[20:40, 40:70] = 1, 2
    for t in range(NUM_FRAMES):
        probs = propagator.step(torch.rand(3, 48, 80, device=device), mask if t == 0 else None)
    return probs


@pytest.mark.parametrize(
    "policy",
    [EveryN(interval=2), EveryN(interval=2, max_frames=2), EveryN(interval=1, dtype="bf16"), First()],
    ids=["every second", "oldest evicted", "bfloat16", "first"],
)
def test_a_step_waits_for_nothing(small_network, policy, monkeypatch):
    network = on_meta(small_network, monkeypatch)
    assert run(network, DEVICE, policy, short_side=32).shape == (3, 48, 80)


def test_top_k_waits_for_nothing(small_stcn, monkeypatch):
    network = on_meta(small_stcn, monkeypatch)
    assert run(network, DEVICE, EveryN(interval=2)).shape == (3, 48, 80)


@pytest.mark.parametrize(
    ("policy", "zoom"),
    [
        (EveryN(), Zoom()),  # the size of the window is a number of the CPU
        (Adaptive(threshold=0.0, least_interval=1), None),  # whether a frame is kept
        (EveryN(interval=1, max_frames=3, eviction="usage"), None),  # which frame is evicted
        (EveryN(interval=1, max_frames=3, eviction="novelty"), None),
    ],
    ids=["zoom", "adaptive update", "eviction by usage", "eviction by novelty"],
)
def test_only_decisions_wait(small_network, policy, zoom, monkeypatch):
    """All other waits are errors, see above; these remain."""
    network = on_meta(small_network, monkeypatch)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        run(network, DEVICE, policy, zoom=zoom)


def test_boxes_are_measured_without_a_wait():
    labels = torch.zeros(40, 60, dtype=torch.uint8)
    labels[10:20, 30:50] = 1
    assert measure_boxes(labels.to(DEVICE), 2).device == DEVICE
    assert object_boxes(labels, 0) == (None, True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_synchronise_a_gpu(precision):
    """The first frame may, because of its mask."""
    widths = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8}
    engine = Engine(torch.device("cuda"), precision)
    network = engine.ready(STM(backbone="resnet18", **widths, weights="none"))
    frames = torch.rand(NUM_FRAMES, 3, 48, 80, device="cuda")
    mask = torch.zeros(48, 80, dtype=torch.uint8)
    mask[8:30, 8:30] = 1
    propagator = Propagator(network, EveryN(interval=2))
    with engine.context():
        propagator.step(frames[0], mask)
        propagator.step(frames[1])  # libraries prepare themselves
        torch.cuda.set_sync_debug_mode("error")
        try:
            for frame in frames[2:]:
                propagator.step(frame)
        finally:
            torch.cuda.set_sync_debug_mode("default")
