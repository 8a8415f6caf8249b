"""What a run will take grows as it should, and is said in words that fit."""

import pytest

from tests.checkpoints.made import MODELS, write_tiny
from vosmem.cli.doctor import _time
from vosmem.commands import estimates as module
from vosmem.commands.estimates import estimates
from vosmem.inputs.doctor import VideoDiagnosis


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


@pytest.mark.parametrize("more", [{"num_frames": 41}, {"num_objects": 3}, {"size": (640, 384)}])
def test_frames_objects_and_pixels_cost_time_and_memory(more):
    for small, large in zip(estimates(video()), estimates(video(**more)), strict=True):
        assert large.seconds > 1.5 * small.seconds
        assert large.memory_bytes > 1.5 * small.memory_bytes


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (300, "5 min"), (7200, "2.0 h")]
)
def test_times_are_told_roughly(seconds, words):
    assert _time(seconds) == words


def test_the_network_that_would_be_taken_is_told_of(shelf):
    assert [own.model for own in estimates(video())] == list(module.MODELS)
    write_tiny(shelf / "remn_small.safetensors", "remn")
    (own,) = estimates(video())
    channels = MODELS["remn"]["key_channels"] + MODELS["remn"]["value_channels"]
    memory_bytes = 4 * channels * 8 * (320 * 192) // 256  # 5 frames in a buffer of 8
    assert (own.model, own.memory_bytes) == ("remn_small", memory_bytes)
    module._network.cache_clear()
