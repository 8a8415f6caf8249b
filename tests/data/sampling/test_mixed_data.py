"""Videos and images in one training: shares, order, seeds, and pasted objects."""

import numpy as np
import pytest
import torch

from tests.data.clips.test_video_clips import Numbered, augmentation
from vosmem.data.clips.image_clips import SyntheticClips
from vosmem.data.sampling.curriculum import SkipSchedule, SkipShares
from vosmem.data.sampling.datamodules import MixedData
from vosmem.data.sampling.sampler import ClipSampler, SampleKey
from vosmem.data.sources.image_sets import LabelledImage
from vosmem.errors import InputError


class Grey:
    """Images with one object."""

    def __init__(self, count: int):
        self.count = count

    def __len__(self):
        return self.count

    def name(self, index):
        return f"image {index}"

    def read(self, index):
        labels = np.zeros((32, 32), np.uint8)
        labels[4:28, 4:28] = 1
        return LabelledImage(np.full((32, 32, 3), 200 + index, np.uint8), labels)

    def sizes(self, index):
        return (32, 32), (32, 32)


def mixed(share: float = 0.25, num_images: int = 7, **options) -> MixedData:
    settings = {"batch_size": 4, "device_batch_size": 4, "samples_per_epoch": 400, "num_workers": 0, "sequences": []}
    return MixedData(
        videos=[Numbered(), Numbered(40, 10)], images=Grey(num_images), augmentation=augmentation(),
        image_augmentation=augmentation(), image_share=share, curriculum=SkipSchedule([0], [5]), reversal=0.0, seed=3,
        **(settings | options),
    )  # fmt: skip


@pytest.mark.parametrize(("share", "num_images"), [(0.25, 7), (0.25, 300), (0.6, 1)])
def test_images_have_their_share_for_any_sizes_of_the_sets(share, num_images):
    data = mixed(share, num_images)
    items = np.array([key.item for key in ClipSampler(data.repeats, 2000, seed=0)])
    assert np.mean(items >= 2) == pytest.approx(share, abs=0.03)
    assert len(set(items[items < 2])) == 2


def test_an_item_is_the_clip_of_its_own_set():
    data = mixed()
    made = data.clips[SampleKey(1, 2, 2 + 5, 5)]
    alone = SyntheticClips(Grey(7), augmentation(), seed=3)[SampleKey(1, 2, 5, 5)]
    assert all(torch.equal(one, other) for one, other in zip(made, alone, strict=True))
    assert data.sample_name(1) == data.videos[1].name and data.sample_name(2) == "image 0"


def test_clips_of_both_have_one_shape():
    with pytest.raises(InputError, match=r"differ in \(size, num_frames\)"):
        MixedData(
            videos=[Numbered()], images=Grey(2), augmentation=augmentation(),
            image_augmentation=augmentation(num_frames=4),
            image_share=0.5, curriculum=SkipSchedule([0], [5]), reversal=0.0, seed=0, batch_size=1,
            device_batch_size=1, samples_per_epoch=4, num_workers=0, sequences=[],
        )  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_of_one_set_only_is_refused(share):
    with pytest.raises(InputError, match=r"datamodule.image_share=.* is outside"):
        mixed(share)


def test_a_curriculum_by_shares_goes_with_the_samples_of_the_training():
    curriculum = SkipShares([0.0, 0.25, 0.75], [5, 20, 10], max_steps=8, batch_size=2)  # 16 samples
    sampler = ClipSampler(np.ones(4), samples_per_epoch=8, seed=0, curriculum=curriculum)
    first = [key.max_skip for key in sampler]
    sampler.set_epoch(1)
    assert first + [key.max_skip for key in sampler] == [5] * 4 + [20] * 8 + [10] * 4
    sampler.set_epoch(0)
    sampler.advance(3)
    assert sampler.max_skip == 5
    sampler.advance(1)
    assert sampler.max_skip == 20


@pytest.mark.parametrize(
    ("shares", "skips"), [([], []), ([0.1], [5]), ([0.0, 1.0], [1, 2]), ([0.0, 0.5], [1]), ([0.0], [-1])]
)
def test_invalid_shares_are_refused(shares, skips):
    with pytest.raises(InputError, match="curriculum with shares"):
        SkipShares(shares, skips, max_steps=10, batch_size=1)
