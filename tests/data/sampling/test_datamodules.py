"""What training is fed: the same samples for any number of workers and processes, from where it stopped."""

import gc
from multiprocessing import active_children
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate

from tests.messages import naming
from vosmem.data.clips.image_clips import ClipAugmentation, SyntheticClips
from vosmem.data.clips.transforms import CropAffine, ZoomShortSide
from vosmem.data.sampling.datamodules import PretrainData
from vosmem.data.sampling.sampler import ClipSampler
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.data.videos import SyntheticSequences
from vosmem.errors import InputError
from vosmem.shapes import Clip


def plain_augmentation():
    return ClipAugmentation(32, [ZoomShortSide(32)], [CropAffine(32, rotate=(-20.0, 20.0))], max_objects=1)


def rich_augmentation():
    """All that `conf/augmentation/rich.yaml` has: objects of other images, bending, blur, JPEG."""
    GlobalHydra.instance().clear()
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        config = compose(
            "gallery",
            overrides=[
                "augmentation=rich",
                "augmentation.size=32",
                "augmentation.max_objects=1",
                "augmentation.min_object_pixels=16",
            ],
        )
    return instantiate(config.augmentation)


@pytest.fixture(params=[plain_augmentation, rich_augmentation])
def make(images, request):
    """Makes the data of a run on four images."""

    def make_data(num_sequences=0, world_size=1, rank=0, **options):
        source = ImageMaskFolder(str(images))
        augmentation = request.param()
        sequences = SyntheticSequences(source, augmentation, num_sequences, seed=1)
        settings = {"batch_size": 4, "device_batch_size": 2, "samples_per_epoch": 12, "seed": 3, "num_workers": 0}
        data = PretrainData(source=source, augmentation=augmentation, sequences=sequences, **(settings | options))
        if world_size > 1:
            strategy = SimpleNamespace(root_device=torch.device("cpu"))
            data.trainer = SimpleNamespace(world_size=world_size, global_rank=rank, strategy=strategy)
        return data

    return make_data


def epoch_of(data, epoch=0):
    loader = data.train_dataloader()
    data.sampler.set_epoch(epoch)
    return list(loader)


def samples(batches):
    """Frames, labels and count of each sample, in order."""
    return [sample for batch in batches for sample in zip(*batch, strict=True)]


def same(first, second):
    first, second = samples(first), samples(second)
    return len(first) == len(second) and all(
        torch.equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_form_of_a_batch(make):
    batches = epoch_of(make())
    assert len(batches) == 6
    for batch in batches:
        assert batch.frames.shape == (2, 3, 3, 32, 32)
        assert batch.labels.shape == (2, 3, 32, 32)
        assert batch.frames.dtype == batch.labels.dtype == torch.uint8
        assert batch.num_objects.tolist() == batch.labels[:, 0].flatten(1).amax(dim=1).tolist() == [1, 1]


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_samples_depend_on_seed_and_epoch_and_never_on_workers(make, num_workers):
    data, sampler = make(num_workers=num_workers, seed=3), ClipSampler([1.0] * 4, 12, seed=3)
    sampler.set_epoch(1)
    clips = SyntheticClips(data.clips.source, data.clips.augmentation, seed=3)
    expected = [Clip(*(part[None] for part in clips[key])) for key in sampler]
    torch.manual_seed(num_workers)
    assert same(epoch_of(data, epoch=1), expected)


@pytest.mark.parametrize(
    ("cores", "num_local", "granted", "expected"),
    [
        (16, 1, None, 8),
        (8, 1, None, 7),
        (8, 2, None, 3),
        (2, 2, None, 1),
        (1, 1, None, 1),
        (64, 8, "4", 3),
        (4, 8, "4", 3),
    ],
)
def test_the_number_of_loader_processes_follows_the_cores(make, cores, num_local, granted, expected, monkeypatch):
    """SLURM may grant a task its own cores, which are then not shared."""
    monkeypatch.setattr("vosmem.workers.usable_cores", lambda: cores)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    if granted is not None:
        monkeypatch.setenv("SLURM_PROCID", "0")
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", granted)
    data = make(num_workers=None)
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(world_size=2, global_rank=0, strategy=strategy, num_devices=num_local)
    assert data.train_dataloader().num_workers == expected


def test_loader_processes_end_with_their_last_user(make):
    """At once, without the garbage collector: that would take their queues before it asks them to end."""
    gc.disable()
    try:
        others = set(active_children())
        epoch_of(make(num_workers=2))
        assert set(active_children()) <= others
    finally:
        gc.enable()


def test_every_process_calibrates_on_the_same_clips(make):
    """A step has the same clips for any number of processes and any size of parts."""
    alone = list(make(device_batch_size=4).calibration_dataloader())
    shared = list(make(world_size=2, rank=1).calibration_dataloader())
    assert [len(batch.frames) for batch in shared] == [4, 4, 4] and same(alone, shared)


def test_no_sample_of_an_epoch_comes_twice(make):
    frames = {frames.numpy().tobytes() for frames, _, _ in samples(epoch_of(make()))}
    assert len(frames) == 12


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_an_epoch(make, world_size):
    options = {"batch_size": 6, "device_batch_size": 1}
    shards = [epoch_of(make(world_size=world_size, rank=rank, **options)) for rank in range(world_size)]
    assert same([batch for step in zip(*shards, strict=True) for batch in step], epoch_of(make(**options)))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_the_validation(make, world_size):
    shards = [make(5, world_size, rank).val_dataloader() for rank in range(world_size)]
    assert max(len(shard) for shard in shards) - min(len(shard) for shard in shards) <= 1
    names = sorted(sequence.name for shard in shards for sequence in shard)
    assert names == sorted(sequence.name for sequence in make(5).sequences)


def test_a_process_without_a_sequence_validates_none(make):
    """Without a batch, Lightning would leave out the end of the validation, and the others would wait for it."""
    shares = [list(make(1, world_size=3, rank=rank).val_dataloader()) for rank in range(3)]
    assert [len(share) for share in shares] == [1, 1, 1] and shares[0][0] is not None
    assert shares[1:] == [[None], [None]]
    assert list(make(0).val_dataloader()) == []


def test_a_restart_continues_with_the_next_sample(make):
    whole, data = epoch_of(make(), epoch=2), make()
    data.train_dataloader()
    data.sampler.set_epoch(2)
    for batch in whole[:4]:
        data.sampler.advance(len(batch.frames))

    restored = make(num_workers=1)
    restored.load_state_dict(data.state_dict())
    loader = restored.train_dataloader()
    restored.sampler.set_epoch(2)
    assert same(list(loader), whole[4:])
    assert len(loader) == 6  # Lightning itself counts the batches that are done
    assert restored.state_dict() == data.state_dict()


def test_state_before_a_run_has_no_position(make):
    data = make()
    data.load_state_dict(make().state_dict())
    assert same(epoch_of(data), epoch_of(make()))


@pytest.mark.parametrize(
    ("batch_size", "device_batch_size", "devices", "expected"),
    [(4, 4, 1, 1), (4, 2, 1, 2), (4, 1, 1, 4), (4, 1, 2, 2), (12, 2, 3, 2), (4, 1, 4, 1)],
)
def test_batches_of_a_device_that_make_a_step(make, batch_size, device_batch_size, devices, expected):
    data = make(batch_size=batch_size, device_batch_size=device_batch_size)
    assert data.accumulation(devices) == expected


@pytest.mark.parametrize("devices", [3, 4])
def test_devices_that_cannot_share_a_batch(make, devices):
    with pytest.raises(InputError, match=naming("batch_size=4", f"{devices} devices", f"multiple of {2 * devices}")):
        make().accumulation(devices)


def test_a_device_batch_that_does_not_divide_the_batch(make):
    with pytest.raises(InputError, match=naming("datamodule.device_batch_size=3", "datamodule.batch_size=4")):
        make(device_batch_size=3)


@pytest.mark.parametrize(("samples_per_epoch", "expected"), [(None, 4), (4, 4), (7, 4), (12, 12), (15, 12)])
def test_an_epoch_is_whole_batches(make, samples_per_epoch, expected):
    data = make(samples_per_epoch=samples_per_epoch)
    assert data.samples_per_epoch == expected
    assert sum(len(batch.frames) for batch in epoch_of(data)) == expected


@pytest.mark.parametrize(("samples_per_epoch", "batch_size", "total"), [(3, 4, 3), (None, 6, 4)])
def test_an_epoch_shorter_than_a_batch_is_refused(make, samples_per_epoch, batch_size, total):
    with pytest.raises(InputError, match=naming(f"{total} clips", f"datamodule.batch_size={batch_size}")):
        make(samples_per_epoch=samples_per_epoch, batch_size=batch_size)


def test_the_check_reads_the_training_images(make, images):
    data = make()
    data.check()
    (images / "masks" / "002.png").write_text("no picture")
    with pytest.raises(InputError, match=naming("1 of 4 images", "masks/002.png")):
        data.check()
