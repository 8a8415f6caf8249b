"""The timed frame is a step of `Propagator`."""

import pytest
import torch

from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame, synthetic_frame
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import EveryN
from vosmem.networks import REMN, STM

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}
NETWORKS = {
    "stm": lambda: STM(backbone="resnet10", **WIDTHS),
    "remn": lambda: REMN(backbone="resnet10", **WIDTHS, value_weights="none"),
}
ENGINE = Engine(torch.device("cpu"))


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_is_a_step_of_the_propagator(name):
    network = NETWORKS[name]().eval()
    found = EngineFrame(ENGINE.ready(network), ENGINE, Case(num_objects=2, num_frames=1, height=40, width=60)).frame()
    frames = [synthetic_frame(t, 2, 40, 60) for t in range(2)]
    propagator = Propagator(network, EveryN())
    propagator.step(frames[0][0][0], frames[0][1])
    expected = propagator.step(frames[1][0][0])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_frames_leave_the_memory_unchanged():
    frame = EngineFrame(ENGINE.ready(NETWORKS["stm"]().eval()), ENGINE, Case(1, 3, height=32, width=48))
    for _ in range(2):
        frame.frame()
        assert frame.bank.frames == [0, 1, 2]
    assert set(frame.parts) == {"encode", "read", "decode", "memorize"}


@pytest.mark.parametrize("num_objects", [1, 3, 10])
def test_every_object_is_in_every_frame(num_objects):
    for t in (0, 1, 20):
        image, labels = synthetic_frame(t, num_objects, 48, 96)
        assert labels.unique().tolist() == list(range(num_objects + 1))
        assert image.shape == (1, 3, 48, 96) and image.min() >= 0 and image.max() <= 1
