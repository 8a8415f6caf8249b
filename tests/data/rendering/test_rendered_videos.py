"""Rendered videos: exact and repeatable, with as many objects as asked for, seen at the start."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosmem.data.rendering.rendered_videos import RenderedSequence, RenderedVideos
from vosmem.data.rendering.scenes import Scene
from vosmem.data.sources.image_sets import LabelledImage
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError

SCENE = Scene(height=64, width=96, num_frames=60, num_objects=(2, 2), object_size=(0.4, 0.6), noise=0.0)
STILL_SCENE = dataclasses.replace(SCENE, gain=(1.0, 1.0), tint=0.0, num_look_alikes=(0, 0))


class Blocks:
    """Photographs of one colour with a block of another; blue belongs to backgrounds, red and green to objects."""

    def __init__(self, count=6, objects=True):
        self.count, self.objects = count, objects

    def __len__(self):
        return self.count

    def name(self, index):
        return f"block {index}"

    def sizes(self, index):
        return (60, 50), (60, 50)

    def read(self, index):
        image, labels = np.zeros((50, 60, 3), np.uint8), np.zeros((50, 60), np.uint8)
        image[..., 2] = 255
        if self.objects:
            labels[10:40, 15:45] = 4
            image[10:40, 15:45] = (250, 0, 0) if index % 2 else (0, 250, 0)
        return LabelledImage(image, labels)


class Coloured(Blocks):
    """As blocks, without objects in what becomes the background."""

    def read(self, index):
        labelled = super().read(index)
        return LabelledImage(np.full_like(labelled.image, (0, 0, 255)), labelled.labels * 0) if index == 0 else labelled


def sequence(scene=SCENE, seed=0, source=None):
    return RenderedSequence("video", source or Blocks(), scene, (seed,))


def test_rendered_video_has_ground_truth():
    video = sequence()
    assert isinstance(video, VideoSequence)
    assert len(video) == 60 and video.object_ids == (1, 2)
    assert video.frame(3).shape == (3, 64, 96) and video.labels(3).shape == (64, 96)
    assert (video.given_mask(0) == video.labels(0)).all() and video.given_mask(1) is None


def test_a_frame_is_a_function_of_seed_and_time():
    first, again = sequence(dataclasses.replace(SCENE, noise=3.0)), sequence(dataclasses.replace(SCENE, noise=3.0))
    late = [again.render(t) for t in (59, 30, 0)]
    for t, (frame, labels) in zip((59, 30, 0), late, strict=True):
        assert np.array_equal(first.render(t)[0], frame) and np.array_equal(first.render(t)[1], labels)
    pictures = [sequence(seed=seed).render(0)[0].astype(int) for seed in (0, 1)]
    assert (np.abs(pictures[1] - pictures[0]).max(axis=2) > 8).mean() > 0.1, "another seed, the same picture"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 5))
def test_every_object_is_seen_in_frame_0_and_ids_have_no_gaps(seed, most):
    scene = dataclasses.replace(SCENE, num_frames=2, num_objects=(1, most))
    video = sequence(scene, seed)
    shown = np.bincount(video.render(0)[1].ravel(), minlength=7)
    assert 1 <= len(video.object_ids) <= most
    assert (shown[1 : len(video.object_ids) + 1] >= scene.min_object_share * 64 * 96).all()
    assert not shown[len(video.object_ids) + 1 :].any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000))
def test_masks_are_exact(seed):
    """Where a background is blue and all objects are not, the mask follows from the picture."""
    video = sequence(dataclasses.replace(STILL_SCENE, num_objects=(1, 1)), seed, Coloured(2))
    for t in (0, 20, 59):
        frame, labels = video.render(t)
        looks_like_object = frame[..., :2].max(axis=2) > 127
        assert np.mean(looks_like_object != (labels > 0)) < 0.01


def test_neighbouring_frames_are_similar_and_distant_ones_are_not():
    video = sequence()
    overlaps = {}
    for gap in (1, 40):
        a, b = video.render(10)[1] > 0, video.render(10 + gap)[1] > 0
        overlaps[gap] = (a & b).sum() / (a | b).sum()
    assert overlaps[1] > 0.8 > overlaps[40]


def test_look_alikes_are_background():
    plain, crowded = (sequence(dataclasses.replace(STILL_SCENE, num_look_alikes=(count, count)), 5) for count in (0, 4))
    assert plain.object_ids == crowded.object_ids == (1, 2)
    coloured = [(video.render(0)[0][..., :2].max(axis=2) > 127).sum() for video in (plain, crowded)]
    assert coloured[1] > coloured[0]


def test_objects_leave_and_return():
    scene = dataclasses.replace(STILL_SCENE, leaving=1.0, num_objects=(1, 1))
    returned = 0
    for seed in range(12):
        video = sequence(scene, seed)
        seen = [(video.render(t)[1] > 0).any() for t in range(0, 60, 3)]
        gone = seen.index(False) if False in seen else len(seen)
        returned += seen[0] and any(seen[gone:])
    assert returned >= 4


def test_brightness_drifts_and_geometry_does_not_depend_on_it():
    dark = sequence(dataclasses.replace(STILL_SCENE, gain=(0.4, 0.5)))
    plain = sequence(STILL_SCENE)
    assert np.array_equal(dark.render(30)[1], plain.render(30)[1])
    assert 0.35 < dark.render(30)[0].mean() / plain.render(30)[0].mean() < 0.55


def test_no_border_shows_under_a_moving_camera():
    scene = dataclasses.replace(STILL_SCENE, camera_shift=0.4, camera_turn=30.0, camera_zoom=(0.7, 1.0))
    video = sequence(scene, 2, Coloured(2))
    for t in range(0, 60, 7):
        frame, labels = video.render(t)
        assert frame[labels == 0].max(axis=1).min() > 120, "black"


def test_a_set_of_videos():
    videos = RenderedVideos(Blocks(), dataclasses.replace(SCENE, num_frames=2), 3, seed=7)
    assert len(videos) == len(list(videos)) == 3
    assert [video.name for video in videos[1:]] == ["rendered_0001", "rendered_0002"]
    assert np.array_equal(videos[-1].render(1)[0], videos[2].render(1)[0])
    assert not np.array_equal(videos[0].render(1)[0], videos[1].render(1)[0])
    with pytest.raises(IndexError):
        videos[3]


def test_images_without_objects_are_refused():
    with pytest.raises(InputError, match=r"\Anone of \d+ random images holds an object.*\Z"):
        sequence(source=Blocks(objects=False)).render(0)


@pytest.mark.parametrize("change", [{"num_objects": (0, 2)}, {"num_objects": (3, 2)}, {"num_frames": 0}, {"height": 8}])
def test_invalid_scenes_are_refused(change):
    with pytest.raises(InputError, match=r"\Aa scene of .* cannot be rendered.*\Z"):
        dataclasses.replace(SCENE, **change)
