"""Pasted objects move independently, are followed up to max_objects, and leave the donors unchanged."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.clips.test_image_clips import equal, labelled_of, make_augmentation
from vosmem.data.clips.image_clips import SyntheticClips
from vosmem.data.clips.pasting import Pasting
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import LabelledImage

PASTING = Pasting(count=(1, 1), size=(0.3, 0.5), follow=1.0, look_alike=0.0, shift=0.1, turn=10.0, grow=(0.9, 1.1))


class Red:
    """One donor: a red block."""

    def __len__(self):
        return 1

    def name(self, index):
        return "red"

    def sizes(self, index):
        return (40, 40), (40, 40)

    def read(self, index):
        labels = np.zeros((40, 40), np.uint8)
        labels[8:32, 8:32] = 9
        image = np.full((40, 40, 3), (0, 0, 250), np.uint8)
        image[labels > 0] = (250, 0, 0)
        return LabelledImage(image, labels)


def grey(num_objects):
    labels = np.zeros((60, 80), np.uint8)
    for label in range(1, num_objects + 1):
        labels[5:25, 20 * label - 15 : 20 * label] = label
    image = np.full((60, 80, 3), 90, np.uint8)
    image[labels > 0] = (0, 200, 0)
    return LabelledImage(image, labels)


def scenes(labelled, seed=0, most=3, **changes):
    pasting = dataclasses.replace(PASTING, **changes)
    return pasting([labelled] * 3, Red(), most, np.random.default_rng(seed))


@pytest.mark.parametrize(("own", "expected"), [(0, {1}), (1, {1, 2}), (3, {1, 2, 3})])
def test_pasted_ids_follow_those_of_the_clip_up_to_max_objects(own, expected):
    seen = set()
    for seed in range(10):
        for scene in scenes(grey(own), seed):
            seen |= set(np.unique(scene.labels)) - {0}
    assert seen == expected


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_masks_are_where_the_object_shows(seed):
    for scene in scenes(grey(0), seed):
        red, followed = scene.image[..., 0], scene.labels == 1
        assert (red[followed] > 160).all() and (red[~followed] < 180).all()


def test_pasted_object_moves_against_the_background():
    first, second, third = (scene.labels == 1 for scene in scenes(grey(0), 3))
    assert first.any() and not np.array_equal(first, second) and not np.array_equal(second, third)


def test_object_that_is_not_followed_occludes():
    for seed in range(5):
        for scene in scenes(grey(2), seed, follow=0.0):
            red = scene.image[..., 0] > 170
            assert red.any() and not scene.labels[red].any()


def test_look_alikes_are_copies_that_count_as_background():
    labelled = grey(1)
    greens = [(scene.image[..., 1] > 140) for scene in scenes(labelled, 1, look_alike=1.0)]
    assert all(green.sum() > (labelled.labels > 0).sum() for green in greens)
    assert not any((scene.image[..., 0] > 170).any() for scene in scenes(labelled, 1, look_alike=1.0))


def test_pasting_keeps_the_input_and_the_count():
    labelled = grey(1)
    before = labelled.image.copy(), labelled.labels.copy()
    unchanged = scenes(labelled, count=(0, 0))
    scenes(labelled)
    assert equal(before, labelled)
    assert all(equal(scene, labelled) for scene in unchanged)


def test_clips_with_pasting_depend_only_on_the_seed():
    augmentation = make_augmentation(pasting=PASTING)
    labelled = labelled_of(1)
    assert equal(augmentation(labelled, (1, 2), Red()), augmentation(labelled, (1, 2), Red()))
    assert not equal(augmentation(labelled, (1, 2), Red()), augmentation(labelled, (1, 3), Red()))
    assert equal(augmentation(labelled, (1, 2)), make_augmentation()(labelled, (1, 2))), "nothing to paste from"


def test_training_clips_paste_from_their_own_set():
    clips = SyntheticClips(Red(), make_augmentation(pasting=dataclasses.replace(PASTING, count=(2, 2))), seed=0)
    counts = [int(clips[SampleKey(0, position, 0)].num_objects) for position in range(8)]
    assert max(counts) == 3


def green_outside(scene, labelled):
    return (scene.image[..., 1] > 140) & (labelled.labels == 0)


@pytest.mark.parametrize("seed", range(6))
def test_copies_keep_their_distance(seed):
    """In frame 0, where they start; an object of 20 x 15 pixels, a copy of at most its size."""
    labelled = grey(1)
    (first, *_) = scenes(labelled, seed, look_alike=1.0, away=1.5, size=(0.2, 0.3), grow=(1.0, 1.0))
    rows, columns = np.nonzero(green_outside(first, labelled))
    assert len(rows) and np.hypot(rows.mean() - 14.5, columns.mean() - 12) > 1.5 * 20 - 2


def test_copy_is_left_out_of_a_small_image():
    assert all(equal(scene, grey(1)) for scene in scenes(grey(1), look_alike=1.0, away=5.0))


def test_late_copies_are_not_in_the_first_frame():
    labelled = grey(1)
    first, second, _ = scenes(labelled, look_alike=1.0, late=1.0)
    assert equal(first, labelled) and green_outside(second, labelled).any()


def test_copies_need_no_donors():
    rng = np.random.default_rng(0)
    found = dataclasses.replace(PASTING, look_alike=1.0)([grey(1)] * 3, None, 3, rng)
    assert green_outside(found[0], grey(1)).any()
    assert equal(dataclasses.replace(PASTING)([grey(1)] * 3, None, 3, rng)[0], grey(1))


def test_nothing_is_followed_by_the_number_of_one_that_comes_later():
    moments = [grey(1), grey(2), grey(2)]
    pasted = PASTING(moments, Red(), 3, np.random.default_rng(0))
    assert [set(np.unique(scene.labels)) for scene in pasted] == [{0, 1, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}]
