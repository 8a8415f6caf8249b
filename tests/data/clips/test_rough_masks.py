"""Rough first masks: what each kind does to a mask, and clips that hold one."""

import numpy as np
import pytest

from tests.data.clips.test_image_clips import equal, labelled_of, make_augmentation
from tests.messages import naming
from vosmem.data.clips.rough_masks import KINDS, RoughFirstMask
from vosmem.errors import InputError


@pytest.fixture
def shape():
    """An L of 60 x 40 pixels."""
    mask = np.zeros((100, 120), np.uint8)
    mask[20:80, 30:50] = mask[60:80, 30:70] = 1
    return mask


def roughened(shape, kind, seed):
    return RoughFirstMask(1.0, (kind,)).rough(shape, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_overlaps_the_object_and_differs_from_it(shape, kind):
    for seed in range(20):
        rough = roughened(shape, kind, seed)
        assert (rough & shape).any() and not np.array_equal(rough, shape)
        assert rough.dtype == np.uint8 and rough.max() == 1
        assert np.array_equal(rough, roughened(shape, kind, seed))


def test_kinds_are_what_they_are_called(shape):
    for seed in range(20):
        rough = {kind: roughened(shape, kind, seed) > 0 for kind in KINDS}
        for kind in ("box", "hull", "dilated"):
            assert rough[kind][shape > 0].all()
        assert rough["box"][20:80, 30:70].all() and rough["box"].sum() < 1.4 * 60 * 40
        assert rough["ellipse"][48:52, 45:55].all() and not rough["ellipse"][20, 30]
        for kind in ("eroded", "half"):
            assert not rough[kind][shape == 0].any()
        assert 0.35 < rough["half"].sum() / shape.sum() < 0.75
        assert rough["clicks"].sum() < shape.sum()


def test_no_object_vanishes():
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 10:50], labels[20:23, 20:23], labels[30, 30] = 1, 2, 3
    for seed in range(30):
        rough = RoughFirstMask().rough(labels, np.random.default_rng(seed))
        assert set(np.unique(rough)) == {0, 1, 2, 3}


def test_a_clip_repeats_its_first_frame_with_the_true_mask():
    true = make_augmentation(num_frames=3)(labelled_of(2), (4,))
    frames, labels, count = make_augmentation(num_frames=3, rough=RoughFirstMask(1.0))(labelled_of(2), (4,))
    assert count == true[2] and np.array_equal(frames[0], true[0][0]) and np.array_equal(frames[1], frames[0])
    assert np.array_equal(labels[1], true[1][0]) and not np.array_equal(labels[0], labels[1])
    assert np.array_equal(frames[2], true[0][2]) and np.array_equal(labels[2], true[1][2])


def test_other_clips_are_as_without_rough_masks():
    rough = make_augmentation(rough=RoughFirstMask(0.5))
    clips = [(make_augmentation()(labelled_of(2), (seed,)), rough(labelled_of(2), (seed,))) for seed in range(60)]
    same = sum(equal(first, second) for first, second in clips)
    assert 15 < same < 45


@pytest.mark.parametrize("options", [{"share": 1.5}, {"kinds": ["sketch"]}, {"kinds": []}])
def test_unusable_settings_are_refused(options):
    with pytest.raises(InputError, match=naming("use a share from 0 to 1", "half, clicks")):
        RoughFirstMask(**options)
