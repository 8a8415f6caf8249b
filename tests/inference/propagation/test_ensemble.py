"""Test-time augmentation: averages at the frame's size, each member with its own memory."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator, make_propagator
from vosmem.inference.propagation.ensemble import Ensemble
from vosmem.memory.policy import EveryN

FRAMES = 4


@pytest.fixture
def video():
    mask = torch.zeros(32, 64, dtype=torch.uint8)
    mask[8:20, 4:20] = 1
    return torch.rand(FRAMES, 3, 32, 64), mask


def run(method, frames, mask):
    return torch.stack([method.step(frame, mask if t == 0 else None) for t, frame in enumerate(frames)])


def test_one_view_is_a_plain_propagator(small_network):
    assert isinstance(make_propagator(small_network, EveryN()), Propagator)


def test_views_are_averaged(small_network, video):
    frames, mask = video
    plain = run(Propagator(small_network, EveryN()), frames, mask)
    mirrored = run(Propagator(small_network, EveryN()), frames.flip(-1), mask.flip(-1)).flip(-1)
    larger = run(Propagator(small_network, EveryN(), scale=1.5), frames, mask)
    for other in (mirrored, larger):  # else their average would be nothing new
        assert other.shape == plain.shape and (other - plain).abs()[1:].max() > 1e-4
    flipped = run(make_propagator(small_network, EveryN(), flip=True), frames, mask)
    torch.testing.assert_close(flipped, (plain + mirrored) / 2)
    scaled = run(make_propagator(small_network, EveryN(), scales=[1.0, 1.5]), frames, mask)
    torch.testing.assert_close(scaled, (plain + larger) / 2)


def test_flip_makes_it_symmetric(small_network, video):
    frames, mask = video
    straight = run(make_propagator(small_network, EveryN(), flip=True), frames, mask)
    mirrored = run(make_propagator(small_network, EveryN(), flip=True), frames.flip(-1), mask.flip(-1))
    torch.testing.assert_close(mirrored.flip(-1), straight, rtol=1e-4, atol=1e-5)


def test_memory_is_the_sum(small_network, video):
    ensemble = make_propagator(small_network, EveryN(), scales=[1.0, 0.5], flip=True)
    assert isinstance(ensemble, Ensemble) and len(ensemble.members) == 4
    run(ensemble, *video)
    assert ensemble.memory_bytes == sum(member.bank.nbytes() for member in ensemble.members) > 0


@pytest.mark.parametrize(("enlarge_to", "expected"), [(0, (2, 4)), (64, (4, 8)), (1000, (8, 16))])
def test_small_frames_are_enlarged_but_at_most_four_times(small_network, video, enlarge_to, expected):
    propagator = Propagator(small_network, EveryN(), short_side=0, enlarge_to=enlarge_to)
    run(propagator, *video)
    assert next(propagator.bank.groups()).key.shape[-2:] == expected


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"short_side": 64, "enlarge_to": 65}, "enlarge_to=65 .*: use 0 .* 64"),
        ({"enlarge_to": -1}, "enlarge_to=-1"),
        ({"scales": [0.0]}, "above 0"),
    ],
)
def test_bad_options(small_network, options, named):
    with pytest.raises(InputError, match=named):
        make_propagator(small_network, EveryN(), **options)
