"""Directions: backward is the reversed video forward, and both directions are averaged."""

import io
import random

import pytest
import torch

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.directions import DirectedPropagation, Given, average, given_masks
from vosmem.memory.policy import EveryN

CPU = torch.device("cpu")
SIZE = (32, 48)


class Masked(VideoSequence):
    """Frames with masks of slots at some of them."""

    def __init__(self, frames, masks, gone=None):
        self.name, self.frames, self.masks, self.gone = "masked", frames, masks, gone or {}
        self.frame_names = [str(t) for t in range(len(frames))]
        self.object_ids = tuple(range(10, 10 + int(max(mask.max() for mask in masks.values()))))

    def frame(self, t):
        return self.frames[t]

    def labels(self, t):
        return None

    def given_mask(self, t):
        return self.masks.get(t)

    def absent(self, t):
        return self.gone.get(t, ())


class Fading:
    """Segments each object at its mask, with a probability that falls by a tenth a frame."""

    def __init__(self):
        self.probs = torch.ones(1, *SIZE)

    def step(self, frame, mask=None, *, absent=()):
        self.probs[1:] = (self.probs[1:] - 0.1).clamp(min=0)
        if mask is not None:
            missing = int(mask.max()) + 1 - len(self.probs)
            self.probs = torch.cat([self.probs, torch.zeros(max(0, missing), *SIZE)])
            for slot in range(1, len(self.probs)):
                self.probs[slot][mask == slot] = 1
        for slot in absent:
            self.probs[slot] = 0
        self.probs[0] = 1 - self.probs[1:].sum(dim=0)
        return self.probs.clone()


def square(slot, at):
    mask = torch.zeros(SIZE, dtype=torch.uint8)
    mask[at : at + 10, at : at + 10] = slot
    return mask


def frames(count):
    return torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8)


def run(sequence, direction, tmp_path, make_method=Fading):
    given = given_masks(sequence)
    return list(DirectedPropagation(sequence, make_method, CPU, direction, given, tmp_path / "spill").frames())


def test_backward_is_the_reversed_video_forward(small_network, tmp_path):
    """Two objects whose order is reversed with the video."""
    pictures, early, late = frames(6), square(1, 2), square(2, 18)
    straight = Masked(pictures, {1: early, 4: late})
    turned = Masked(pictures.flip(0), {1: late // 2, 4: 2 * early})

    def make_method():
        return Propagator(small_network, EveryN(interval=2))

    forward, backward = run(turned, "forward", tmp_path, make_method), run(straight, "backward", tmp_path, make_method)
    assert [segmented.t for segmented in backward] == list(range(6))
    for prefetch, back in zip(reversed(forward), backward, strict=True):
        known = len(prefetch.probs)
        torch.testing.assert_close(back.probs[[0, 2, 1][:known]], prefetch.probs, rtol=0, atol=0.01)
        assert torch.equal(back.frame, prefetch.frame) and back.memory_frames == prefetch.memory_frames


def test_between_two_masks_the_closer_one_has_more_weight(tmp_path):
    found = run(Masked(frames(8), {1: square(1, 5), 5: square(1, 5)}), "both", tmp_path)
    inside = [float(segmented.probs[1, 8, 8]) for segmented in found]
    # One tenth less a frame; at frame 2 three quarters of 0.9 and one of 0.7.
    expected = [0.9, 1, 0.75 * 0.9 + 0.25 * 0.7, 0.8, 0.25 * 0.7 + 0.75 * 0.9, 1, 0.9, 0.8]
    assert inside == pytest.approx(expected, abs=1 / 255)
    for segmented in found:
        assert torch.equal(segmented.labels == 1, square(1, 5) == 1)
        torch.testing.assert_close(segmented.probs.sum(dim=0), torch.ones(SIZE))


def test_between_a_mask_and_an_absence_the_closer_one_has_more_weight(tmp_path):
    sequence = Masked(frames(8), {3: square(1, 5)}, {1: (1,), 6: (1,)})
    inside = [float(segmented.probs[1, 8, 8]) for segmented in run(sequence, "both", tmp_path)]
    expected = [0, 0, 0.5 * 0.9, 1, 2 / 3 * 0.9, 1 / 3 * 0.8, 0, 0]
    assert inside == pytest.approx(expected, abs=1 / 255)
    given = given_masks(sequence)
    assert given.followed(1, "forward") == {} and given.followed(6, "backward") == {}
    assert given.followed(1, "both") == given.followed(6, "forward") == {1: True}
    assert given.followed(2, "both") == given.followed(4, "forward") == {1: False}


def test_in_both_directions_every_object_is_followed_everywhere(tmp_path):
    found = run(Masked(frames(5), {0: square(1, 2), 4: square(2, 18)}), "both", tmp_path)
    for t, segmented in enumerate(found):
        assert float(segmented.probs[1, 5, 5]) == pytest.approx(1 - 0.1 * t, abs=1 / 255)
        assert float(segmented.probs[2, 20, 20]) == pytest.approx(1 - 0.1 * (4 - t), abs=1 / 255)
        assert torch.equal(segmented.labels, square(1, 2) + square(2, 18))


def test_with_only_the_first_mask_both_directions_equal_forward(tmp_path):
    sequence = Masked(frames(4), {0: square(1, 2)})
    for one, other in zip(run(sequence, "forward", tmp_path), run(sequence, "both", tmp_path), strict=True):
        torch.testing.assert_close(one.probs, other.probs)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_the_backward_pass_reports_its_frames_and_stores_them_in_the_folder(direction, tmp_path):
    sequence, seen = Masked(frames(5), {4: square(1, 2)}), []
    given, spill = given_masks(sequence), tmp_path / "spill"
    run = DirectedPropagation(sequence, Fading, CPU, direction, given, spill, seen.append).frames()
    next(run)
    assert seen == [1, 2, 3, 4, 5] and len(list(spill.iterdir())) == 5
    run.close()


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_propagation_continues_from_any_state(small_network, direction, tmp_path):
    """The states of the backward pass are taken in its callback. They are copied, as a file would."""
    pictures, early, late = frames(7), square(1, 2), square(2, 18)
    sequence = Masked(pictures, {1: early, 4: late})
    given, states = given_masks(sequence), []

    def directed(on_pass=lambda count: None):
        def make_method():
            return Propagator(small_network, EveryN(interval=2, max_frames=3), zoom=Zoom())

        return DirectedPropagation(sequence, make_method, CPU, direction, given, tmp_path / "spill", on_pass)

    def save(count=0):
        content = io.BytesIO()
        torch.save(whole.state_dict(), content)
        states.append(content.getvalue())

    whole = directed(save)
    expected = []
    for segmented in whole.frames():
        expected.append(segmented)
        save()
    assert len(states) == 7 + (0 if direction == "forward" else 5)
    for content in states[1::3]:
        state = torch.load(io.BytesIO(content), weights_only=True)
        rest = directed()
        rest.load_state_dict(state)
        found = list(rest.frames())
        assert [each.t for each in found] == list(range(state["next_frame"], 7))
        for one, other in zip(found, expected[state["next_frame"] :], strict=True):
            assert torch.equal(one.probs, other.probs) and one.memory_frames == other.memory_frames


def test_unknown_direction(tmp_path):
    with pytest.raises(InputError, match="sideways"):
        run(Masked(frames(1), {0: square(1, 2)}), "sideways", tmp_path)


def test_distances_to_the_masks_of_an_object():
    given = given_masks(Masked(frames(8), {1: square(1, 2), 3: square(2, 2), 6: square(1, 2) + square(2, 18)}))
    assert given.areas == {1: {1: 100}, 3: {2: 100}, 6: {1: 100, 2: 100}}
    assert [given.before(4, slot) for slot in (1, 2)] == [3, 1] and given.before(0, 1) is None
    assert [given.after(4, slot) for slot in (1, 2)] == [2, 2] and given.after(7, 2) is None


def scanned(given, t, slot):
    """`Given.before` and `Given.after` of a slot by a search of all masks."""
    frames_of_slot = [
        at for of_frames in (given.areas, given.absent) for at, slots in of_frames.items() if slot in slots
    ]
    return min((t - at for at in frames_of_slot if at <= t), default=None), min(
        (at - t for at in frames_of_slot if at >= t), default=None
    )


def test_given_masks_equal_a_search_of_all_masks():
    draw = random.Random(0)
    for _ in range(40):
        areas = {t: dict.fromkeys(draw.sample(range(1, 6), draw.randint(1, 3)), 1 + t) for t in range(1, 20, 3)}
        absent = {t: tuple(draw.sample(range(1, 6), 2)) for t in draw.sample(range(20), 3)}
        given = Given(areas, absent)
        behind = {t: {slot for at in areas if at <= t for slot in areas[at]} for t in range(20)}
        prefetch = {t: {slot for at in areas if at >= t for slot in areas[at]} for t in range(20)}
        for t in range(20):
            assert [(given.before(t, slot), given.after(t, slot)) for slot in range(1, 7)] == [
                scanned(given, t, slot) for slot in range(1, 7)
            ]
            for direction, known in {
                "forward": behind[t],
                "backward": prefetch[t],
                "both": behind[t] | prefetch[t],
            }.items():
                assert given.followed(t, direction) == {slot: 0 in scanned(given, t, slot) for slot in sorted(known)}
        assert given.first_areas() == {slot: 1 + min(t for t in areas if slot in areas[t]) for slot in behind[19]}


class Counted(dict):
    """A dictionary that counts its look-ups."""

    look_ups = 0

    def __getitem__(self, key):
        Counted.look_ups += 1
        return super().__getitem__(key)

    def get(self, key, default=None):
        Counted.look_ups += 1
        return super().get(key, default)

    def __iter__(self):
        for key in super().__iter__():
            Counted.look_ups += 1
            yield key

    def items(self):
        return ((key, self[key]) for key in self)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_look_ups_grow_linearly_with_the_number_of_given_masks(direction):
    look_ups = []
    for count in (100, 400):
        Counted.look_ups = 0
        given = Given(Counted({t: Counted({1: 5, 2: 5}) for t in range(count)}))
        given.first_areas()
        for t in range(count):
            given.followed(t, direction)
            given.before(t, 1)
            given.after(t, 2)
        look_ups.append(Counted.look_ups)
    assert look_ups[0] >= 100 and look_ups[1] <= 5 * look_ups[0]


def test_an_average_with_equal_shares_is_the_weighted_mean():
    one, other = torch.rand(4, 3, 5).softmax(dim=0), torch.rand(4, 3, 5).softmax(dim=0)
    torch.testing.assert_close(average(one, other, torch.full((3,), 0.3)), 0.3 * one + 0.7 * other)
