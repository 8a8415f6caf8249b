"""The estimates of memory and work equal what a run takes."""

import pytest
import torch
from omegaconf import OmegaConf

from tests.checkpoints.made import MODELS, write_tiny
from vosmem.checkpoints.bundled import default_weights
from vosmem.checkpoints.models import without_weights
from vosmem.checkpoints.weights_file import read_about
from vosmem.cli.doctor import _time
from vosmem.commands import estimates as module
from vosmem.commands.common import compose, make
from vosmem.commands.estimates import buffer_frames, estimates, memory_channels, memory_frames
from vosmem.inference import Propagator
from vosmem.inputs.doctor import VideoDiagnosis
from vosmem.memory.policy import EveryN
from vosmem.networks.cost import frame_cost


def video(num_frames=21, num_objects=1, size=(320, 192)):
    given_at = dict.fromkeys(range(1, num_objects + 1), 0)
    return VideoDiagnosis("video", "video.mp4", "", num_frames=num_frames, size=size, given_at=given_at)


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    monkeypatch.setattr(module, "_rate", lambda: 100.0)


def test_a_machine_half_as_fast_takes_twice_as_long(monkeypatch):
    before = estimates(video())
    monkeypatch.setattr(module, "_rate", lambda: 50.0)
    assert [own.seconds for own in estimates(video())] == pytest.approx([2 * own.seconds for own in before])


@pytest.mark.parametrize("more", [{"num_frames": 41}, {"num_objects": 3}, {"size": (1280, 960)}])
def test_frames_objects_and_pixels_cost_time_and_memory(more):
    for small, large in zip(estimates(video()), estimates(video(**more)), strict=True):
        assert large.seconds > 1.5 * small.seconds
        assert large.memory_bytes > 1.5 * small.memory_bytes


def test_small_frames_cost_what_enlarged_ones_do():
    """The bundled network gets frames of 240 pixels enlarged to 480."""
    assert estimates(video(size=(432, 240))) == estimates(video(size=(864, 480)))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (300, "5 min"), (7200, "2.0 h")]
)
def test_times_are_rounded(seconds, text):
    assert _time(seconds) == text


def test_the_bundled_network_is_the_one_that_is_estimated(shelf):
    assert [own.model for own in estimates(video())] == list(module.MODELS)
    write_tiny(shelf / "remn_small.safetensors", "remn")
    (own,) = estimates(video())
    channels = MODELS["remn"]["key_channels"] + MODELS["remn"]["value_channels"]
    memory_bytes = 4 * channels * 8 * (320 * 192) // 256  # 5 frames in a buffer of 8
    assert (own.model, own.memory_bytes) == ("remn_small", memory_bytes)


@pytest.mark.parametrize(
    ("num_frames", "interval", "num_objects"), [(1, 5, 1), (2, 5, 1), (6, 2, 2), (7, 2, 1), (8, 3, 3)]
)
def test_the_estimated_memory_equals_that_of_a_run(small_network, num_frames, interval, num_objects):
    propagator = Propagator(small_network, EveryN(interval=interval))
    mask = torch.zeros(24, 40, dtype=torch.uint8)
    for k in range(num_objects):
        mask[4 * k : 4 * k + 3, 4:20] = k + 1
    most = 0
    for t in range(num_frames):
        propagator.step(torch.rand(3, 24, 40), mask if t == 0 else None)
        most = max(most, len(propagator.memory_frames))
    assert most == memory_frames(num_frames, interval)
    target = f"vosmem.networks.{type(small_network).__name__}"
    model = OmegaConf.create({"_target_": target, "key_channels": 8, "value_channels": 16})
    cells = 2 * 3  # of 24x40 pixels
    assert propagator.memory_bytes == 4 * cells * buffer_frames(most) * memory_channels(model, num_objects)


@pytest.mark.parametrize("name", module.CONVOLUTIONS)
def test_the_estimated_work_equals_that_of_the_network(name):
    default = default_weights()
    bundled = default is not None and default[0] == name
    model = OmegaConf.create(dict(read_about(default[1]).model)) if bundled else compose("train", f"model={name}").model
    network = make(OmegaConf.create(without_weights(model))).eval()
    per_frame, per_object = module.CONVOLUTIONS[name]
    for num_objects in (1, 3):
        cost = frame_cost(network, 64, 64, num_objects, 2)
        assert cost.total - cost.read == pytest.approx(16 * (per_frame + num_objects * per_object), rel=1e-3)
        assert cost.read == pytest.approx(2e-9 * 16 * 32 * memory_channels(model, num_objects))
