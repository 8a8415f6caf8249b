"""Clips from images: a function of image and seed only, whose objects are those of frame 0."""

import random
from itertools import permutations

import albumentations as A
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden_video import video
from tests.messages import naming
from vosmem.data.clips.image_clips import REDRAWS, ClipAugmentation, SyntheticClips, choose_objects, keep_first_objects
from vosmem.data.clips.transforms import CropAffine, ZoomShortSide
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.errors import InputError

SIZE = 32


def make_augmentation(size=SIZE, **options):
    """The kinds of transform that the paper's recipe has."""
    jitter = A.ColorJitter(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, p=1.0)
    per_clip = [ZoomShortSide(size, (1.0, 1.5)), A.HorizontalFlip(p=0.5), jitter, A.ToGray(p=0.2)]
    per_frame = [CropAffine(size, scale=(0.9, 1.1), rotate=(-20, 20), shear=(-10, 10)), jitter]
    return ClipAugmentation(size, per_clip, per_frame, **options)


def labelled_of(num_objects, seed=0, size=(48, 80)):
    images, labels = video(1, *size, num_objects, seed)
    return LabelledImage(images[0], labels[0])


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("num_frames", [2, 5])
def test_form_of_a_clip(num_frames):
    frames, labels, count = make_augmentation(num_frames=num_frames)(labelled_of(3), (0,))
    assert frames.shape == (num_frames, SIZE, SIZE, 3)
    assert labels.shape == (num_frames, SIZE, SIZE)
    assert frames.dtype == labels.dtype == np.uint8
    assert count >= 1
    assert all((frames[0] != frame).mean() > 0.2 for frame in frames[1:])


def test_equal_seeds_give_equal_clips_and_other_seeds_others():
    labelled = labelled_of(3)
    clips = {
        seed: make_augmentation()(labelled, seed) for seed in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (2**40,)]
    }
    for seed, clip in clips.items():
        assert equal(clip, make_augmentation()(labelled, seed))
        assert [other for other in clips if equal(clips[other], clip)] == [seed]


def test_a_clip_does_not_depend_on_what_was_made_before():
    augmentation, labelled = make_augmentation(), labelled_of(3)
    first = augmentation(labelled, (5,))
    for seed in range(3):
        augmentation(labelled_of(2, seed), (seed,))
    assert equal(augmentation(labelled, (5,)), first)


def test_global_generators_are_neither_used_nor_moved():
    augmentation, labelled = make_augmentation(), labelled_of(5)
    clips = []
    for seed in (0, 1):
        random.seed(seed)  # may move: the checks of types in tests draw from it
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = repr(np.random.get_state()), torch.get_rng_state().tolist()
        clips.append(augmentation(labelled, (5,)))
        assert before == (repr(np.random.get_state()), torch.get_rng_state().tolist())
    assert equal(*clips)


@settings(max_examples=40, deadline=None)
@given(num_objects=st.integers(1, 6), most=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_labels_of_frame_0_have_no_gaps_and_later_frames_no_others(num_objects, most, seed):
    _, labels, count = make_augmentation(max_objects=most)(labelled_of(num_objects, seed), (seed,))
    assert 1 <= count <= min(most, num_objects)
    assert set(np.unique(labels[0])) - {0} == set(range(1, count + 1))
    assert set(np.unique(labels)) <= set(range(count + 1))


def test_an_image_without_objects_gives_a_clip_without():
    assert make_augmentation()(labelled_of(0), (0,))[2] == 0


class Lose(A.DualTransform):
    """Empties the masks of the first draws."""

    def __init__(self, times):
        super().__init__(p=1.0)
        self.times, self.draws = times, []

    def get_params(self):
        self.draws.append(self.py_random.random())
        return {}

    def apply(self, img, **params):
        return img

    def apply_to_mask(self, mask, **params):
        return mask * np.uint8(len(self.draws) > self.times)


def doubled_still():
    """A photograph of twice the frames' side, of squares of 2x2 pixels: halving it is exact."""
    small = labelled_of(1, size=(SIZE, SIZE))
    return small, LabelledImage(*(part.repeat(2, axis=0).repeat(2, axis=1) for part in small))


@pytest.mark.parametrize("times", range(6))
def test_a_draw_that_loses_every_object_is_repeated(times):
    lose, image = Lose(times), doubled_still()[1].image
    labelled = LabelledImage(image, np.ones(image.shape[:2], np.uint8))  # no crop can lose this object
    frames, labels, count = ClipAugmentation(SIZE, [lose], [CropAffine(SIZE)])(labelled, (0,))
    assert len(lose.draws) == times + 1
    assert count == labels.min() == 1
    assert not np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize(
    ("per_clip", "per_frame"),
    [([Lose(1000)], [CropAffine(SIZE)]), ([], [CropAffine(SIZE, translate=(2.0, 2.0))])],
    ids=["lost by the clip", "moved out of the frames"],
)
def test_objects_that_never_survive_give_the_whole_image(per_clip, per_frame):
    small, labelled = doubled_still()
    frames, labels, count = ClipAugmentation(SIZE, per_clip, per_frame)(labelled, (0,))
    assert count == 1
    assert np.array_equal(frames, np.stack([small.image] * 3))
    assert np.array_equal(labels, np.stack([small.labels] * 3))


def test_six_different_draws_are_tried():
    lose = Lose(1000)
    ClipAugmentation(SIZE, [lose], [CropAffine(SIZE)])(doubled_still()[1], (0,))
    assert len(lose.draws) == len(set(lose.draws)) == 1 + REDRAWS == 6


def test_a_clip_is_without_objects_only_if_its_image_is():
    image, labels = np.zeros((96, 96, 3), np.uint8), np.zeros((96, 96), np.uint8)
    labels[48, 48] = 1  # of each three rows and columns the middle one is kept
    assert ClipAugmentation(SIZE, [Lose(1000)], [CropAffine(SIZE)])(LabelledImage(image, labels), (0,))[2] == 1


@pytest.mark.parametrize("size", [0, 8, 17, 100, -16])
def test_a_size_that_is_no_multiple_of_16_is_refused(size):
    with pytest.raises(InputError, match=naming(f"size {size}", "multiple of 16")):
        make_augmentation(size)


@pytest.mark.parametrize("count", ["num_frames", "max_objects"])
def test_invalid_counts_are_refused(count):
    with pytest.raises(InputError, match=naming(count)):
        make_augmentation(**{count: 1 if count == "num_frames" else 0})


def test_frames_of_another_size_are_refused():
    with pytest.raises(InputError, match=naming("frame_transforms", "80x48", f"size={SIZE}")):
        ClipAugmentation(SIZE, [], [A.HorizontalFlip(p=0.5)])(labelled_of(2), (0,))


class TestChooseObjects:
    @given(
        ids=st.lists(st.integers(1, 255), min_size=0, max_size=6, unique=True),
        background=st.booleans(),
        most=st.integers(1, 4),
        seed=st.integers(0, 10**6),
    )
    def test_every_label_chosen_is_one_object_and_the_rest_is_background(self, ids, background, most, seed):
        present = {0, *ids} if background or not ids else set(ids)
        labels = np.resize(np.array(sorted(present), np.uint8), (7, 7))
        chosen = choose_objects(labels, most, np.random.default_rng(seed))[labels]
        pairs = set(zip(chosen.ravel().tolist(), labels.ravel().tolist(), strict=True))
        picked = {new: old for new, old in pairs if new}
        assert sorted(picked) == list(range(1, len(picked) + 1))
        assert min(1, len(ids)) <= len(picked) <= min(most, len(ids))
        assert set(picked.values()) <= set(ids)
        assert pairs == {*picked.items()} | {(0, i) for i in present - {*picked.values()}}

    @pytest.mark.parametrize("ids", [[0, 4, 9, 200], [4, 9, 200]], ids=["with background", "tiling the picture"])
    @pytest.mark.parametrize("most", [1, 2, 5])
    def test_every_choice_of_one_to_most_objects_in_any_order_is_made(self, ids, most):
        labels, objects = np.array([ids], np.uint8), [i for i in ids if i]
        seen = set()
        for seed in range(400):
            chosen = choose_objects(labels, most, np.random.default_rng(seed))[labels][0]
            seen.add(tuple(ids[list(chosen).index(k)] for k in range(1, chosen.max() + 1)))
        assert seen == {choice for n in range(1, min(most, 3) + 1) for choice in permutations(objects, n)}


class TestKeepFirstObjects:
    @given(st.integers(0, 10**6), st.integers(1, 12))
    def test_equals_the_loop(self, seed, min_pixels):
        labels = np.random.default_rng(seed).choice([0, 0, 1, 2, 7, 255], (3, 5, 6)).astype(np.uint8)
        seen = [i for i in (1, 2, 7, 255) if (labels[0] == i).sum() >= min_pixels]
        kept, count = keep_first_objects(labels, min_pixels)
        assert count == len(seen)
        for pixel, new in zip(labels.ravel(), kept.ravel(), strict=True):
            assert new == (seen.index(pixel) + 1 if pixel in seen else 0)

    def test_an_object_lost_from_frame_0_is_background_when_it_returns(self):
        labels = np.array([[[0, 2]], [[1, 2]], [[1, 1]]], np.uint8)
        assert keep_first_objects(labels, 1)[0].tolist() == [[[0, 1]], [[0, 1]], [[0, 0]]]


class TwoImages(ImageSource):
    """Two images in memory."""

    def __len__(self):
        return 2

    def read(self, index):
        return labelled_of(3, seed=index)


def test_a_sample_depends_on_seed_epoch_position_and_item():
    def sample(seed, *key):
        return SyntheticClips(TwoImages(), make_augmentation(), seed)[SampleKey(*key)]

    clip = sample(1, 2, 3, 0)
    frames, labels, count = make_augmentation()(TwoImages().read(0), (1, 2, 3))
    assert np.array_equal(clip.frames.permute(0, 2, 3, 1).numpy(), frames)
    assert np.array_equal(clip.labels.numpy(), labels)
    assert clip.num_objects.item() == count
    for other in [(0, 2, 3, 0), (1, 0, 3, 0), (1, 2, 0, 0), (1, 2, 3, 1)]:
        seed, *key = other
        frames, *_ = make_augmentation()(TwoImages().read(key[2]), (seed, *key[:2]))
        assert np.array_equal(sample(*other).frames.permute(0, 2, 3, 1).numpy(), frames)
        assert (sample(*other).frames != clip.frames).float().mean() > 0.1, "the same clip under another name"
