"""Propagation: one code path with training, any size, masks at any frame."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.memory.policy import EveryN
from vosmem.shapes import Clip
from vosmem.training.unroll import unroll


def square(size=(32, 48), object_id=1, at=8, side=12):
    mask = torch.zeros(size, dtype=torch.uint8)
    mask[at : at + side, at : at + side] = object_id
    return mask


def run(propagator, frames, masks):
    return [propagator.step(frame, masks.get(t)) for t, frame in enumerate(frames)]


def test_equals_the_training_unroll(small_network):
    frames = torch.randint(0, 256, (1, 3, 3, 32, 48), dtype=torch.uint8)
    labels = (square() + square(object_id=2, at=20))[None, None].expand(1, 3, -1, -1)
    with torch.no_grad():
        logits = unroll(small_network, Clip(frames, labels, torch.tensor([2]))).logits
    probs = run(Propagator(small_network, EveryN(interval=5)), frames[0].float() / 255, {0: labels[0, 0]})
    torch.testing.assert_close(torch.stack(probs[1:]), logits[0].softmax(dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 48), (33, 50), (17, 16), (15, 70)])
def test_any_size_comes_back_as_a_distribution(small_network, size):
    mask = square(size, at=2, side=8)
    for probs in run(Propagator(small_network, EveryN(interval=5)), torch.rand(3, 3, *size), {0: mask}):
        assert probs.shape == (2, *size)
        torch.testing.assert_close(probs.sum(dim=0), torch.ones(size))


def test_the_given_mask_is_returned_as_it_is(small_network):
    mask = square()
    probs = Propagator(small_network, EveryN(interval=5), short_side=16).step(torch.rand(3, 32, 48), mask)
    assert torch.equal(probs.argmax(dim=0), mask.long())


def test_short_side_shrinks_the_work_and_not_the_result(small_network):
    propagator = Propagator(small_network, EveryN(interval=5), short_side=16)
    probs = run(propagator, torch.rand(2, 3, 32, 48), {0: square()})[1]
    assert probs.shape == (2, 32, 48)
    memory = next(propagator.bank.groups())
    assert memory.key.shape[-2:] == (1, 2)  # 16 x 24, padded to 16 x 32


def test_objects_permute(small_network):
    frames = torch.rand(3, 3, 32, 48)
    one, two = square(at=2, side=10), square(at=18, side=12)
    straight = run(Propagator(small_network, EveryN(interval=5)), frames, {0: one + 2 * two})
    swapped = run(Propagator(small_network, EveryN(interval=5)), frames, {0: 2 * one + two})
    torch.testing.assert_close(swapped[2], straight[2][[0, 2, 1]], rtol=1e-3, atol=1e-4)


def test_a_later_mask_overwrites_its_pixels_and_adds_objects(small_network):
    frames, late = torch.rand(4, 3, 32, 48), square(object_id=2, at=18, side=10)
    free = run(Propagator(small_network, EveryN(interval=5)), frames, {0: square(at=2)})
    propagator = Propagator(small_network, EveryN(interval=5))
    probs = run(propagator, frames, {0: square(at=2), 2: late})
    assert [p.shape[0] for p in probs] == [2, 2, 3, 3]
    assert (probs[2].argmax(dim=0)[late == 2] == 2).all()
    torch.testing.assert_close(probs[2][:2, late == 0], free[2][:, late == 0])
    assert sorted(propagator.memory_frames) == [0, 2]  # a given mask stays in memory


def test_an_empty_first_mask_is_all_background_until_an_object_comes(small_network):
    propagator = Propagator(small_network, EveryN(interval=5))
    empty = torch.zeros(32, 48, dtype=torch.uint8)
    probs = run(propagator, torch.rand(4, 3, 32, 48), {0: empty, 2: square()})
    assert [p.shape[0] for p in probs] == [1, 1, 2, 2]
    assert (probs[1] == 1).all()


@pytest.mark.parametrize(
    ("mask", "match"),
    [
        (None, "first frame has no mask"),
        (torch.zeros(32, 40, dtype=torch.uint8), "40x32, its frame 48x32"),
        (torch.zeros(32, 48), "integer labels"),
    ],
)
def test_bad_masks(small_network, mask, match):
    with pytest.raises(InputError, match=match):
        Propagator(small_network, EveryN(interval=5)).step(torch.rand(3, 32, 48), mask)


def test_short_side_below_the_stride(small_network):
    with pytest.raises(InputError, match="16 pixels"):
        Propagator(small_network, EveryN(interval=5), short_side=8)
