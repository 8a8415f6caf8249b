"""Propagation: one code path with training, any size, masks at any frame."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import Adaptive, EveryN
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
def test_probabilities_have_the_frame_size_and_sum_to_one(small_network, size):
    mask = square(size, at=2, side=8)
    for probs in run(Propagator(small_network, EveryN(interval=5)), torch.rand(3, 3, *size), {0: mask}):
        assert probs.shape == (2, *size)
        torch.testing.assert_close(probs.sum(dim=0), torch.ones(size))


def test_the_given_mask_is_returned_unchanged(small_network):
    mask = square()
    probs = Propagator(small_network, EveryN(interval=5), short_side=16).step(torch.rand(3, 32, 48), mask)
    assert torch.equal(probs.argmax(dim=0), mask.long())


def test_short_side_shrinks_the_memory_and_not_the_result(small_network):
    propagator = Propagator(small_network, EveryN(interval=5), short_side=16)
    probs = run(propagator, torch.rand(2, 3, 32, 48), {0: square()})[1]
    assert probs.shape == (2, 32, 48)
    memory = next(propagator.bank.groups())
    assert memory.key.shape[-2:] == (1, 2)  # 16 x 24, padded to 16 x 32


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([1, 2, 3]))
def test_objects_permute(small_network, order):
    frames = torch.rand(3, 3, 32, 48)
    mask = square(at=2, side=10) + 2 * square(at=18, side=12) + 3 * torch.roll(square(at=2, side=8), 28, dims=1)
    straight = run(Propagator(small_network, EveryN(interval=5)), frames, {0: mask})
    table = torch.tensor([0, *order], dtype=mask.dtype)
    swapped = run(Propagator(small_network, EveryN(interval=5)), frames, {0: table[mask.long()]})
    torch.testing.assert_close(swapped[2][[0, *order]], straight[2], rtol=1e-3, atol=1e-4)


def test_a_later_mask_overwrites_its_pixels_and_adds_objects(small_network):
    frames, late = torch.rand(4, 3, 32, 48), square(object_id=2, at=18, side=10)
    free = run(Propagator(small_network, EveryN(interval=5)), frames, {0: square(at=2)})
    propagator = Propagator(small_network, EveryN(interval=5))
    probs = run(propagator, frames, {0: square(at=2), 2: late})
    assert [p.shape[0] for p in probs] == [2, 2, 3, 3]
    assert (probs[2].argmax(dim=0)[late == 2] == 2).all()
    torch.testing.assert_close(probs[2][:2, late == 0], free[2][:, late == 0])
    assert sorted(propagator.memory_frames) == [0, 2]  # a given mask stays in memory


@pytest.mark.parametrize("zoom", [None, Zoom()])
def test_an_absent_object_is_background_in_its_frame_and_searched_in_the_next(small_network, zoom):
    frames, masks = torch.rand(4, 3, 32, 48), {0: square() + square(object_id=2, at=20)}
    plain, marked = (Propagator(small_network, EveryN(interval=5), zoom=zoom) for _ in range(2))
    expected = run(plain, frames, masks)
    found = [marked.step(frame, masks.get(t), absent=(1, 7) if t == 2 else ()) for t, frame in enumerate(frames)]
    assert torch.equal(found[2][2], expected[2][2]) and not found[2][1].any()
    torch.testing.assert_close(found[2][0], expected[2][0] + expected[2][1])
    assert found[3][1].any() and not torch.equal(found[3], expected[3])
    assert marked.memory_frames == [0, 2] and plain.memory_frames == [0, 2]
    marked.step(frames[0])
    assert marked.memory_frames == [0, 2, 3]  # a frame with an absent object stays in memory


def test_absent_objects_that_are_not_followed_are_ignored(small_network):
    propagator = Propagator(small_network, EveryN(interval=5))
    with pytest.raises(InputError, match="the first frame has no mask"):
        propagator.step(torch.rand(3, 32, 48), absent=(1,))


def test_whole_masks_clear_their_objects_outside_and_no_other_object(small_network):
    frames, first = torch.rand(3, 3, 32, 48), square(at=2) + 2 * square(at=18, side=12)
    free, whole = (Propagator(small_network, EveryN(interval=5), whole_masks=flag) for flag in (False, True))
    late = square(at=2, side=4)
    found, kept = (run(propagator, frames, {0: first, 2: late})[2] for propagator in (free, whole))
    assert (found[1][late == 0] > 0).all()
    assert torch.equal(kept[1], late.float())
    torch.testing.assert_close(kept[2], found[2])
    torch.testing.assert_close(kept.sum(dim=0), torch.ones(32, 48))


def test_an_empty_first_mask_is_background_until_an_object_appears(small_network):
    propagator = Propagator(small_network, EveryN(interval=5))
    empty = torch.zeros(32, 48, dtype=torch.uint8)
    probs = run(propagator, torch.rand(4, 3, 32, 48), {0: empty, 2: square()})
    assert [p.shape[0] for p in probs] == [1, 1, 2, 2]
    assert (probs[1] == 1).all()


def test_object_ids_permute_the_rows(small_network):
    frames = torch.rand(3, 3, 32, 48)
    one, two = square(at=2, side=10), square(at=18, side=12)
    straight, swapped = (Propagator(small_network, EveryN(interval=5)) for _ in range(2))
    for t, frame in enumerate(frames):
        expected = straight.step(frame, one + 2 * two if t == 0 else None)
        found = swapped.step(frame, 2 * one + two, (200, 7)) if t == 0 else swapped.step(frame)
    assert (straight.objects, swapped.objects) == ((1, 2), (200, 7))
    torch.testing.assert_close(found, expected[[0, 2, 1]], rtol=1e-3, atol=1e-4)


def test_a_later_mask_names_known_and_new_objects_in_any_order(small_network):
    frames, propagator = torch.rand(3, 3, 32, 48), Propagator(small_network, EveryN(interval=5))
    propagator.step(frames[0], square(), (7,))
    mask = square(at=2, side=6) + 2 * square(at=20, side=6)
    probs = propagator.step(frames[1], mask, (3, 7))
    assert propagator.objects == (7, 3)
    assert (probs.argmax(dim=0)[mask == 1] == 2).all() and (probs.argmax(dim=0)[mask == 2] == 1).all()


def test_removing_an_object_frees_its_memory_and_keeps_the_others(small_network):
    frames = torch.rand(7, 3, 32, 48)
    mask = square(at=2, side=10) + 2 * square(at=18, side=12)
    propagator, whole = (Propagator(small_network, EveryN(interval=2)) for _ in range(2))
    for t, frame in enumerate(frames[:4]):
        for each in (propagator, whole):
            each.step(frame, mask if t == 0 else None)
    propagator.remove(1)
    assert propagator.objects == (2,) and propagator.memory_bytes < whole.memory_bytes
    left, all_of_it = next(propagator.bank.groups()), next(whole.bank.groups())
    assert torch.equal(left.value[0], all_of_it.value[1])  # what the other one remembers is what it was
    probs = propagator.step(frames[4])
    assert probs.shape[0] == 2 and propagator.memory_frames == [0, 2, 3]
    propagator.remove(2)
    assert (propagator.step(frames[5]) == 1).all() and propagator.memory_bytes == 0
    assert propagator.step(frames[6], square(), (2,)).shape[0] == 2 and propagator.objects == (2,)


def test_an_object_removed_before_it_is_memorised_changes_nothing(small_network):
    frames, propagator, other = torch.rand(3, 3, 32, 48), *(Propagator(small_network, EveryN(interval=5)) for _ in "ab")
    propagator.step(frames[0], square(at=2, side=10) + 2 * square(at=18, side=12))
    propagator.remove(1)
    other.step(frames[0], square(at=18, side=12), (2,))
    for frame in frames[1:]:
        torch.testing.assert_close(propagator.step(frame), other.step(frame))


def test_the_object_of_the_last_frame_can_be_removed_before_it_is_memorised(small_network):
    frames, propagator = torch.rand(3, 3, 32, 48), Propagator(small_network, EveryN(interval=5))
    propagator.step(frames[0], square(at=2, side=8))
    propagator.step(frames[1], 2 * square(at=18))
    propagator.remove(2)
    assert propagator.step(frames[2]).shape[0] == 2 and propagator.objects == (1,)
    with pytest.raises(InputError, match="object 2 is not followed"):
        propagator.remove(2)


def test_a_removed_object_reappears_only_with_pixels(small_network):
    frames, propagator = torch.rand(3, 3, 32, 48), Propagator(small_network, EveryN(interval=5))
    propagator.step(frames[0], square(at=2, side=8) + 2 * square(at=18))
    propagator.remove(1)
    propagator.step(frames[1], 3 * square(at=18))
    assert propagator.objects == (2, 3)
    propagator.step(frames[2], square(at=18))
    assert propagator.objects == (2, 3, 1)


def test_max_frames_keeps_the_memory_constant(small_network):
    propagator = Propagator(small_network, EveryN(interval=1, max_frames=3))
    sizes = set()
    for t in range(12):
        propagator.step(torch.rand(3, 32, 48), square() if t == 0 else None)
        if t >= 4:
            sizes.add(propagator.memory_bytes)
    assert len(sizes) == 1 and len(propagator.memory_frames) == 3


@pytest.mark.parametrize(
    ("labels", "objects", "match"),
    [(2, (5,), "holds label 2"), (-1, None, "holds label -1"), (1, (0,), "1 or above"), (2, (4, 4), "each once")],
)
def test_bad_ids_change_nothing(small_network, labels, objects, match):
    propagator = Propagator(small_network, EveryN(interval=5))
    with pytest.raises(InputError, match=match):
        propagator.step(torch.rand(3, 32, 48), labels * square().long(), objects)
    assert propagator.objects == ()


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


def test_frames_of_another_size_are_refused(small_network):
    propagator = Propagator(small_network, EveryN(interval=5))
    propagator.step(torch.rand(3, 32, 48), square())
    with pytest.raises(InputError, match="frame is 32x48, the one before it 48x32: give frames of one size"):
        propagator.step(torch.rand(3, 48, 32))
    propagator.step(torch.rand(3, 32, 48))


def test_more_objects_than_labels_can_hold_are_refused(small_stm):
    propagator, mask = Propagator(small_stm, EveryN(interval=5)), torch.zeros(32, 48, dtype=torch.int64)
    with pytest.raises(InputError, match="255 objects are too many: a video can have 254 at a time"):
        propagator.step(torch.rand(3, 32, 48), mask.index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(255)))
    assert propagator.objects == ()


def test_an_object_may_reappear_under_an_adaptive_policy(small_remn):
    """The previous frame has no mask of it."""
    propagator = Propagator(small_remn, Adaptive(threshold=1.0, least_certainty=0.0))
    frames, both = torch.rand(8, 3, 32, 48), square() + square(object_id=2, at=20)
    for t, frame in enumerate(frames):
        if t == 3:
            propagator.remove(2)
        propagator.step(frame, {0: both, 5: square(object_id=2, at=20)}.get(t))
    assert propagator.objects == (1, 2) and propagator.num_kept == 2


def test_a_first_mask_without_objects_is_not_memorised(small_network):
    propagator = Propagator(small_network, EveryN(interval=1))
    run(propagator, torch.rand(3, 3, 32, 48), {0: 0 * square(), 1: square()})
    assert propagator.memory_frames == [1] and propagator.num_kept == 1
