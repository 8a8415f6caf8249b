"""Every data set reaches loader processes that are spawned, as on Windows and macOS, and gives them its samples."""

import pickle

import pytest
import torch

from tests.conftest import write_davis, write_images
from vosmem.commands.common import compose, make
from vosmem.data.clips.image_clips import JoinedClips
from vosmem.data.sampling.loading import ClipLoader
from vosmem.data.sampling.sampler import SampleKey

SIZE = ["augmentation.size=32", "augmentation.min_object_pixels=1", "datamodule.samples_per_epoch=4", "paths.data=."]
FEW = ["train_videos.count=2", "train_videos.scene.num_frames=4"]
VIDEO = ["eval_set=davis17", "train_videos.image_set=val"]
CHOICES = {
    "images": ["datamodule=images", "augmentation=small", "paths.images=images"],
    "embedded": ["datamodule=embedded", "augmentation=rich"],
    "videos": ["datamodule=main", "train_videos=davis17", "augmentation=video", *VIDEO],
    "rendered": [
        "datamodule=main",
        "train_videos=rendered",
        "augmentation=video_look_alikes",
        *FEW,
        "eval_set=davis17",
    ],
    "mixed": [
        "datamodule=mixed",
        "train_videos=davis17",
        "augmentation=video_framed",
        "datamodule.image_augmentation.size=32",
        "train_images=embedded",
        *VIDEO,
    ],
}


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory):
    """The data modules of all kinds of training, by their configurations."""
    root = tmp_path_factory.mktemp("sets")
    write_davis(root / "DAVIS", {"one": 1, "two": 2})
    write_images(root / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield {name: make(compose("train", *overrides, *SIZE).datamodule) for name, overrides in CHOICES.items()}


@pytest.mark.parametrize("name", CHOICES)
def test_a_data_set_can_be_pickled_in_use(data_sets, name):
    clips = data_sets[name].clips
    key = SampleKey(0, 0, len(clips) - 1, 1)
    before = clips[key]  # what is decoded or staged now travels too
    after = pickle.loads(pickle.dumps(clips))[key]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_videos_can_be_pickled_in_use(data_sets):
    for name in ("videos", "rendered", "mixed"):
        video = data_sets[name].videos[0]
        before = video.read(1)
        after = pickle.loads(pickle.dumps(video)).read(1)
        assert (before.image == after.image).all() and (before.labels == after.labels).all()


@pytest.mark.slow  # the process imports everything again
def test_a_spawned_process_gives_the_samples_of_this_one(data_sets):
    clips = JoinedClips([data.clips for data in data_sets.values()])
    ends = clips._ends.tolist()
    keys = [SampleKey(0, position, end - 1, 1) for position, end in enumerate(ends)]
    loader = ClipLoader(clips, str, 1, sampler=keys, batch_size=1, multiprocessing_context="spawn")
    for key, batch in zip(keys, loader, strict=True):
        assert all(torch.equal(one, other[0]) for one, other in zip(clips[key], batch, strict=True))
