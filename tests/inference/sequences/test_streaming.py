"""The API for a user's frames: types of frames and masks, object ids, and memory of constant size."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter, as_frame, as_labels
from vosmem.memory.policy import EveryN

CPU = Engine(torch.device("cpu"))
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.fixture
def segmenter(small_network):
    return Segmenter(small_network, CPU)


def square(number, dtype=np.uint8):
    mask = np.zeros((32, 48), dtype)
    mask[8:20, 8:20] = number
    return mask


@pytest.mark.parametrize(
    "turned",
    [
        lambda p: p,
        lambda p: p.transpose(2, 0, 1),
        lambda p: p[:, ::1].astype(np.float64) / 255,
        lambda p: torch.from_numpy(p),
        lambda p: torch.from_numpy(p).permute(2, 0, 1).float() / 255,
        Image.fromarray,
    ],
)
def test_every_type_of_frame_is_converted_alike(turned):
    torch.testing.assert_close(as_frame(turned(PICTURE)), torch.from_numpy(PICTURE).permute(2, 0, 1) / 255)


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        (np.zeros((3, 9, 3), np.uint8), "could be height or channels"),
        (np.zeros((9, 9), np.uint8), "not RGB"),
        (np.zeros((9, 9, 4), np.uint8), "not RGB"),
        (np.full((9, 9, 3), 2.0), "divide by 255"),
        (np.full((9, 9, 3), np.nan), "divide by 255"),
        (np.zeros((9, 9, 3), np.int64), "bytes"),
        ("frame.png", "numpy array"),
    ],
)
def test_bad_frames(frame, match):
    with pytest.raises(InputError, match=match):
        as_frame(frame)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int64])
def test_masks_of_any_integer_type(dtype):
    labels, ids = as_labels(square(1, dtype))
    assert ids == (1,) and np.array_equal(labels.numpy(), square(1))


def test_a_mask_without_background_or_objects():
    assert as_labels(np.full((2, 2), 300, np.uint16))[0].unique().tolist() == [1]
    labels, ids = as_labels(np.zeros((2, 2), np.uint8))
    assert ids == () and not labels.any()


@pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.zeros((4, 4, 1), np.uint8), np.full((4, 4), -1)])
def test_bad_masks(mask):
    with pytest.raises(InputError, match="whole numbers"):
        as_labels(mask)


def test_a_stream_equals_the_propagator(segmenter, small_network):
    frames = torch.rand(4, 3, 32, 48)
    late = np.where(square(1, bool), 0, 0).astype(np.uint16)
    late[24:30, 30:40] = 300
    propagator = Propagator(segmenter.network, EveryN())
    for found in segmenter.propagate(iter(frames), {0: square(7), 2: late}):
        mask = {0: square(1), 2: (late > 0).astype(np.uint8)}.get(found.t)
        ids = {0: (7,), 2: (300,)}.get(found.t)
        probs = propagator.step(frames[found.t], None if mask is None else torch.from_numpy(mask), ids)
        torch.testing.assert_close(found.probs, probs)
        assert found.objects == ((7,) if found.t < 2 else (7, 300))
        expected = np.array([0, *found.objects])[probs.argmax(dim=0).numpy()]
        assert np.array_equal(found.ids.numpy(), expected)


def test_a_stream_takes_absent_objects_by_id(segmenter):
    stream, frames = segmenter.stream(EveryN()), torch.rand(3, 3, 32, 48)
    stream.step(frames[0], square(70))
    assert not stream.step(frames[1], absent=[70]).probs[1].any() and stream.objects == (70,)
    assert stream.step(frames[2]).probs[1].any()


def test_the_memory_of_a_long_stream_is_constant(segmenter):
    stream = segmenter.stream(EveryN(interval=1, max_frames=2))
    sizes = set()
    for t in range(8):
        stream.step(np.full((32, 48, 3), t, np.uint8), square(5) if t == 0 else None)
        sizes |= {stream.memory_bytes} if t > 2 else set()
    assert len(sizes) == 1
    stream.remove(5)
    assert stream.objects == () and stream.memory_bytes == 0


def test_a_memory_without_limits_is_bounded_and_equal_to_an_unbounded_one_below_the_limit(segmenter, monkeypatch):
    """From frame 4 on it differs, so the comparison before is not one of equal memories by accident."""
    monkeypatch.setattr("vosmem.memory.budget.MAX_FRAMES", 4)
    rng = np.random.default_rng(0)
    stream, free = segmenter.stream(EveryN(interval=1)), segmenter.stream(EveryN(interval=1, max_frames=99))
    for t in range(9):
        frame, mask = rng.random((32, 48, 3)), square(5) if t == 0 else None
        probs, expected = (each.step(frame, mask).probs for each in (stream, free))
        assert torch.equal(probs, expected) == (t <= 4), t
        assert len(stream.propagator.memory_frames) <= 4
    assert len(free.propagator.memory_frames) == 8


@pytest.mark.parametrize("flip", [False, True])
def test_a_restored_stream_continues_equally(segmenter, tmp_path, flip):
    frames = np.random.default_rng(0).random((7, 32, 48, 3))
    stream = segmenter.stream(EveryN(interval=2, max_frames=3), flip=flip)
    for t in range(5):
        stream.step(frames[t], square(70) if t == 0 else None)
    stream.save(tmp_path / "stream.pt")
    other = segmenter.stream(EveryN(interval=2, max_frames=3), flip=flip)
    other.restore(tmp_path / "stream.pt")
    for t in (5, 6):
        expected, found = stream.step(frames[t]), other.step(frames[t])
        assert found.t == t and found.objects == (70,) and torch.equal(found.probs, expected.probs)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"memory": EveryN(interval=3)}, "with memory policy"),
        ({"flip": True}, "with flip False, this stream has True: make the stream with equal arguments"),
        ({"short_side": 16}, "with short side"),
        ({"zoom": 1.0}, "with zoom"),
    ],
)
def test_a_stream_of_other_arguments_is_not_restored(small_stm, tmp_path, more, match):
    segmenter = Segmenter(small_stm, CPU)
    stream = segmenter.stream(zoom=2.0)
    stream.step(np.zeros((32, 48, 3)), square(1))
    stream.save(tmp_path / "stream.pt")
    with pytest.raises(InputError, match=match):
        segmenter.stream(**{"zoom": 2.0, **more}).restore(tmp_path / "stream.pt")


def test_a_stream_of_other_weights_or_another_file_is_not_restored(small_stm, tmp_path):
    stream = Segmenter(small_stm, CPU).stream()
    stream.step(np.zeros((32, 48, 3)), square(1))
    stream.save(tmp_path / "stream.pt")
    changed = copy.deepcopy(small_stm)
    next(changed.parameters()).data.mul_(1.5)
    with pytest.raises(InputError, match=r"other weights: make"):
        Segmenter(changed, CPU).stream().restore(tmp_path / "stream.pt")
    torch.save({"state": 1}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="not a saved stream"):
        stream.restore(tmp_path / "other.pt")


def test_importing_vosmem_is_light_and_load_imports_the_network():
    code = (
        "import sys, vosmem; assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "try:\n    vosmem.load(model='no_such_model')\nexcept ValueError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'no_such_model'" in done.stdout
