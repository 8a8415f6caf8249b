"""Which frames are in memory at each frame, against the paper's rule written out."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.memory.policy import Adaptive, Candidate, EveryN, First, FirstAndPrevious, Previous

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


def test_only_frames_that_are_read_are_encoded(small_network, monkeypatch):
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


def candidate(t, at=(2, 3), certainty=0.9, objects=(1,), given=False, key=None):
    """A frame whose objects all fill the same four cells."""
    masks = torch.zeros(len(objects), 8, 10)
    if at is not None:
        masks[:, at[0] : at[0] + 2, at[1] : at[1] + 2] = 1
    key = torch.ones(4, 8, 10) if key is None else key
    return Candidate(t, given, objects, masks, torch.tensor(certainty), key)


ADAPTIVE = Adaptive(threshold=0.2)


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (candidate(4, at=(2, 4)), True),
        (candidate(4), False),
        (candidate(1, at=(2, 4)), False),
        (candidate(25), True),
        (candidate(30), True),
        (candidate(24), False),
        (candidate(4, at=(2, 4), certainty=0.7), False),
        (candidate(30, certainty=0.5), False),
        (candidate(30, at=None), False),
        (candidate(4, key=-torch.ones(4, 8, 10)), True),
        (candidate(1, given=True), True),
        (candidate(9, at=None, certainty=0.0, given=True), True),
        (candidate(4, objects=(7,), at=(2, 4)), False),
    ],
)
def test_an_adaptive_memory_keeps_what_has_changed(frame, kept):
    """Given masks; otherwise certain frames of visible objects that have changed, or after the greatest interval."""
    assert ADAPTIVE.keeps(frame, candidate(0, given=True)) is kept


def test_the_object_that_changed_most_decides():
    now, then = candidate(5, objects=(3, 9)), candidate(0, objects=(9, 3))
    assert ADAPTIVE.variation(now, then) == 0
    now.masks[1] = now.masks[1].roll(1, dims=1)
    assert ADAPTIVE.variation(now, then) == pytest.approx(0.5 * (1 - 2 / 6))
    assert ADAPTIVE.variation(candidate(5, objects=(3,)), then) == 0  # object 9 is not followed any more


@pytest.mark.parametrize("include_last", [False, True])
def test_an_adaptive_memory_encodes_only_kept_frames(small_network, monkeypatch, include_last):
    """A static clip with a certain estimate: the given mask, then every `greatest_interval` frames."""
    calls, encode = [], small_network.encode_memory
    monkeypatch.setattr(
        small_network, "encode_memory", lambda *args, **options: calls.append(1) or encode(*args, **options)
    )
    mask = torch.zeros(32, 32, dtype=torch.uint8)
    mask[4:28, 4:28] = 1
    certain = 40 * torch.stack([1 - mask.float(), mask.float()])[None]  # logits
    monkeypatch.setattr(small_network, "decode", lambda query, readout: certain)
    policy = Adaptive(threshold=0.2, greatest_interval=5, include_last=include_last)
    propagator, frame = Propagator(small_network, policy), torch.rand(3, 32, 32)
    held = []
    for t in range(FRAMES):
        propagator.step(frame, mask if t == 0 else None)
        held.append(propagator.memory_frames)
    kept = {0, 5, 10}
    expected = [sorted({k for k in kept if k < t} | ({t - 1} if include_last else set())) for t in range(1, FRAMES)]
    assert held[1:] == expected
    assert len(calls) == (FRAMES - 1 if include_last else len(kept)) and propagator.num_kept == len(kept)


def test_a_given_mask_is_kept_and_restarts_the_interval(small_network):
    propagator = Propagator(small_network, Adaptive(threshold=1.0, least_certainty=0.0, greatest_interval=3))
    mask = torch.zeros(32, 32, dtype=torch.uint8)
    mask[4:28, 4:28] = 1
    for t in range(8):
        propagator.step(torch.rand(3, 32, 32), mask if t in (0, 2) else None)
    assert {0, 2} <= set(propagator.memory_frames)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"least_certainty": -0.1}, "least_certainty"),
        ({"feature_weight": 2.0}, "feature_weight"),
        ({"least_interval": 0}, "least_interval"),
        ({"greatest_interval": 1}, "greatest_interval"),
    ],
)
def test_impossible_adaptive_memories(options, named):
    with pytest.raises(InputError, match=named):
        Adaptive(**{"threshold": 0.2, **options})
