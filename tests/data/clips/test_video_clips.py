"""Clips of videos: in temporal order, within the curriculum's greatest skip, and equal in every process."""

from itertools import pairwise
from types import SimpleNamespace

import albumentations as A
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.data.sampling.test_datamodules import epoch_of, same
from tests.messages import naming
from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.clips.pasting import Pasting
from vosmem.data.clips.transforms import CropAffine
from vosmem.data.clips.video_clips import VideoClips, choose_times, repeated, returned
from vosmem.data.sampling.curriculum import SkipSchedule
from vosmem.data.sampling.datamodules import MainData
from vosmem.data.sampling.sampler import ClipSampler, SampleKey
from vosmem.data.sources.image_sets import LabelledImage
from vosmem.errors import InputError


class Numbered:
    """A video whose frame t has grey level t; its object is there from frame `start` on."""

    name, frame_step = "numbered", 1

    def __init__(self, length=60, start=0):
        self.length, self.start = length, start

    def __len__(self):
        return self.length

    def read(self, t):
        labels = np.zeros((32, 32), np.uint8)
        if t >= self.start:
            labels[8:24, 8:24] = 7
        return LabelledImage(np.full((32, 32, 3), t, np.uint8), labels)

    def sizes(self, t):
        return (32, 32), (32, 32)


def augmentation(**options):
    return ClipAugmentation(32, [A.HorizontalFlip(p=0.5)], [CropAffine(32)], **options)


def times_of(clip):
    return clip.frames[:, 0, 16, 16].tolist()


@given(st.integers(3, 80), st.integers(2, 3), st.integers(0, 30), st.sampled_from([1, 5]), st.integers(0, 10_000))
def test_times_ascend_within_the_video_and_the_skip(length, count, max_skip, frame_step, seed):
    times = choose_times(length, count, max_skip, frame_step, np.random.default_rng(seed))
    steps = np.diff(times)
    assert len(times) == count and times[0] >= 0 and times[-1] < length
    assert (steps >= 1).all() and (steps <= max_skip // frame_step + 1).all()


@pytest.mark.parametrize(("frame_step", "expected"), [(1, range(1, 27)), (5, range(1, 7))])
def test_every_skip_and_every_start_comes(frame_step, expected):
    rng = np.random.default_rng(0)
    drawn = [choose_times(60, 3, 25, frame_step, rng) for _ in range(3000)]
    steps = np.diff(drawn, axis=1)
    assert set(steps.ravel()) == set(expected)
    if frame_step == 1:  # evenly
        counts = np.bincount(steps.ravel())[1:]
        assert counts.min() > 0.7 * counts.mean()
    assert {times[0] for times in drawn} >= set(range(8))


def test_a_video_of_just_the_clips_length():
    assert choose_times(3, 3, 25, 1, np.random.default_rng(0)) == [0, 1, 2]


def test_the_schedule_of_the_paper():
    schedule = SkipSchedule([0, 20, 40, 60, 80, 100], [0, 5, 10, 15, 20, 25])
    assert [schedule(epoch) for epoch in (0, 19, 20, 39, 99, 100, 259)] == [0, 0, 5, 5, 20, 25, 25]


@pytest.mark.parametrize(
    ("epochs", "skips"), [([], []), ([1], [5]), ([0, 5], [1]), ([0, 5, 5], [1, 2, 3]), ([0], [-1])]
)
def test_invalid_schedules_are_refused(epochs, skips):
    with pytest.raises(InputError, match=r"\Acurriculum with epochs .*\Z"):
        SkipSchedule(epochs, skips)


def test_a_clip_follows_the_skip_of_its_key():
    clips = VideoClips([Numbered()], augmentation(), seed=0)
    for max_skip in (0, 25):
        steps = [np.diff(times_of(clips[SampleKey(0, position, 0, max_skip)])) for position in range(40)]
        assert np.min(steps) == 1 and np.max(steps) <= max_skip + 1
        assert max_skip == 0 or np.max(steps) > 20


def test_a_clip_is_a_function_of_its_key():
    clips = VideoClips([Numbered()], augmentation(), seed=3)
    keys = [SampleKey(epoch, position, 0, 25) for epoch in range(2) for position in range(20)]
    times = [times_of(clips[key]) for key in keys]
    assert times == [times_of(VideoClips([Numbered()], augmentation(), seed=3)[key]) for key in keys]
    assert len({tuple(t) for t in times}) > 30


@pytest.mark.parametrize(("reversal", "backwards"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_share_of_reversed_clips(reversal, backwards):
    clips = VideoClips([Numbered()], augmentation(), seed=0, reversal=reversal)
    signs = [times_of(clips[SampleKey(0, position, 0, 5)]) for position in range(100)]
    assert np.mean([times[0] > times[2] for times in signs]) == pytest.approx(backwards, abs=0.15)


def test_the_first_frame_holds_an_object():
    clips = VideoClips([Numbered(start=30)], augmentation(), seed=0)
    made = [clips[SampleKey(0, position, 0, 5)] for position in range(40)]
    assert all(int(clip.num_objects) == 1 and times_of(clip)[0] >= 30 for clip in made)


def test_the_frames_of_a_clip_are_mirrored_as_one():
    class Sided(Numbered):
        def read(self, t):
            labelled = super().read(t)
            labelled.labels[:, 16:] = 0
            return labelled

    clips = VideoClips([Sided()], augmentation(), seed=0)
    sides = set()
    for position in range(20):
        labels = clips[SampleKey(0, position, 0, 5)].labels
        left = [bool(frame[:, :16].any()) for frame in labels]
        assert len(set(left)) == 1
        sides.add(left[0])
    assert sides == {True, False}


def make_data(num_workers=0, world_size=1, rank=0, **options):
    settings = {"batch_size": 4, "device_batch_size": 2, "samples_per_epoch": 12, "seed": 3, "sequences": []}
    data = MainData(
        videos=[Numbered(), Numbered(40, 10)], augmentation=augmentation(), curriculum=SkipSchedule([0, 2], [0, 20]),
        reversal=0.5, num_workers=num_workers, **(settings | options),
    )  # fmt: skip
    if world_size > 1:
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(world_size=world_size, global_rank=rank, strategy=strategy)
    return data


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_persistent_workers_see_the_curriculum(num_workers):
    data = make_data(num_workers)
    loader = data.train_dataloader()
    for epoch in (0, 1, 2, 3):
        data.sampler.set_epoch(epoch)
        batches = list(loader)
        widest = max(
            abs(int(step)) for batch in batches for clip in batch.frames for step in np.diff(clip[:, 0, 16, 16].int())
        )
        assert widest == 1 if epoch < 2 else widest > 5
        assert same(batches, epoch_of(make_data(), epoch)), "and the same samples"


def test_processes_share_an_epoch_and_its_curriculum():
    shards = [epoch_of(make_data(world_size=2, rank=rank, device_batch_size=1), epoch=2) for rank in range(2)]
    assert same([batch for step in zip(*shards, strict=True) for batch in step], epoch_of(make_data(), epoch=2))


def test_a_restart_keeps_the_curriculum():
    whole, data = epoch_of(make_data(), epoch=2), make_data()
    data.train_dataloader()
    data.sampler.set_epoch(2)
    data.sampler.advance(4)
    restored = make_data(num_workers=1)
    restored.load_state_dict(data.state_dict())
    loader = restored.train_dataloader()
    assert restored.sampler.max_skip == 20
    assert same(list(loader), whole[2:])


def test_a_sampler_without_a_curriculum_has_no_skip():
    assert {key.max_skip for key in ClipSampler([1.0] * 3, 6, seed=0)} == {0}


@given(st.integers(3, 20), st.integers(0, 10_000))
def test_repeated_times_are_fewer_in_the_same_order(count, seed):
    times = sorted(np.random.default_rng(seed).permutation(100)[:count].tolist())
    found = repeated(times, np.random.default_rng(seed))
    assert len(found) == count and found == sorted(found) and set(found) <= set(times)
    assert found[0] == times[0] and found[-2:] == times[-2:]
    assert len(set(found[:-2])) < len(found[:-2]) or count <= 4


def test_a_share_of_the_clips_is_made_redundant():
    clips = VideoClips([Numbered()], augmentation(num_frames=8), seed=0, redundancy=0.5)
    counts = [len(set(times_of(clips[SampleKey(0, position, 0, 5)])[:-2])) for position in range(60)]
    assert 15 < sum(count < 6 for count in counts) < 45 and min(counts) == 1
    once, again = (times_of(clips[SampleKey(0, 7, 0, 5)]) for _ in range(2))
    assert once == again


@given(st.integers(4, 20), st.booleans(), st.integers(0, 10_000))
def test_the_last_frames_return_to_what_was_seen_before(count, backwards, seed):
    times = sorted(np.random.default_rng(seed).permutation(100)[:count].tolist(), reverse=backwards)
    found = returned(times, np.random.default_rng(seed))
    past, asked = found[:-2], found[-2:]
    assert past == times[:-2] and asked == sorted(asked, reverse=backwards)
    assert any(min(pair) <= min(asked) and max(asked) <= max(pair) for pair in pairwise(past))


def test_a_share_of_the_clips_returns_to_every_part_of_what_it_remembers():
    clips = VideoClips([Numbered()], augmentation(num_frames=6), seed=0, returning=0.5)
    drawn = [times_of(clips[SampleKey(0, position, 0, 9)]) for position in range(200)]
    back = [times for times in drawn if times[-1] <= times[-3]]
    assert 60 < len(back) < 140
    assert {sum(moment < times[-1] for moment in times[1:-2]) for times in back} == {0, 1, 2}


def test_clips_too_short_to_return_are_refused():
    with pytest.raises(InputError, match=naming("datamodule.returning=0.5", "4 or more frames", "not 3")):
        VideoClips([Numbered()], augmentation(), seed=0, returning=0.5)


def test_copies_are_pasted_into_clips_of_videos():
    pasting = Pasting((1, 1), (0.3, 0.3), follow=0.0, look_alike=1.0, shift=0.0, turn=0.0, grow=(1.0, 1.0))
    plain, pasted = (
        VideoClips([Numbered()], augmentation(pasting=own), seed=0)[SampleKey(0, 0, 0, 0)] for own in (None, pasting)
    )
    changed = (plain.frames != pasted.frames).any(dim=1)
    assert changed.any(dim=(1, 2)).all(), "a frame has no copy"
    assert not changed.all(dim=(1, 2)).any(), "more than a copy is changed"
    assert pasted.num_objects == 1
