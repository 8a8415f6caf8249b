"""The base of all data modules of clips: the order of samples, resuming, validation and the check before a run."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from torch.utils.data import DataLoader, Dataset

from vosmem.data.sampling.curriculum import Curriculum
from vosmem.data.sampling.loading import ClipLoader
from vosmem.data.sampling.sampler import ClipSampler
from vosmem.data.sources.checks import check_images, check_once, check_videos, files_of
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.startup import report_step
from vosmem.workers import cores_of_process

CHECKS = ("none", "headers", "full")
MOST_WORKERS = 8  # each needs memory, and a step of a GPU uses fewer clips than eight make


class ClipData(pl.LightningDataModule):
    """Clips for training in an order that resumes, and sequences for validation.

    Args:
        clips: clips of the videos, then of the images.
        videos: videos that clips are made of; none shorter than a clip.
        images: images that clips are made of.
        num_frames: length of a clip.
        repeats: how often a pass holds each element that clips are made of.
        sequences: validation sequences: clips of held-out images, or videos.
        batch_size: clips of one optimiser step, over all devices.
        device_batch_size: clips that one device takes at a time; gradients are accumulated up to `batch_size`.
        samples_per_epoch: clips of an epoch; None is one pass. Rounded down to whole batches.
        num_workers: loader processes; their number never changes a sample. None is one for each core of the process but
            one, from 1 to `MOST_WORKERS`.
        curriculum: the greatest skip of each epoch, for clips of videos.
        one_batch: whether every step sees the clips of the first step, to check that a network learns at all.

    Attributes:
        check_data: what the first process checks before a run: `none`, `headers`, or `full` (decodes everything).

    Raises:
        InputError: `device_batch_size` does not divide `batch_size`, or an epoch is shorter than a batch.
    """

    check_data = "none"
    prepare_data_per_node = False  # one process checks for all

    def __init__(
        self,
        *,
        clips: Dataset,
        videos: Sequence[TrainingVideo] = (),
        images: ImageSource | None = None,
        num_frames: int,
        repeats: Float[np.ndarray, "N"],
        sequences: Sequence[VideoSequence],
        batch_size: int,
        device_batch_size: int,
        samples_per_epoch: int | None,
        seed: int,
        num_workers: int | None,
        curriculum: Curriculum | None = None,
        one_batch: bool = False,
    ):
        super().__init__()
        self.clips, self.videos, self.images, self.num_frames = clips, videos, images, num_frames
        self.repeats, self.sequences, self.curriculum = repeats, sequences, curriculum
        self.batch_size, self.device_batch_size, self.num_workers = batch_size, device_batch_size, num_workers
        if batch_size % device_batch_size:
            raise InputError(
                f"datamodule.device_batch_size={device_batch_size} does not divide datamodule.batch_size={batch_size}: "
                "use a divisor"
            )
        total = round(repeats.sum()) if samples_per_epoch is None else samples_per_epoch
        if total < batch_size:
            raise InputError(
                f"an epoch of {total} clips is below datamodule.batch_size={batch_size}: raise "
                f"datamodule.samples_per_epoch"
            )
        self.samples_per_epoch, self.seed = batch_size if one_batch else total - total % batch_size, seed
        self.one_batch = one_batch
        self._fault: str | None = None  # that the check found
        self.sampler: ClipSampler | None = None
        self._state: dict[str, Any] | None = None  # of the sampler, from a checkpoint
        # A weak reference: in a cycle with its data, a loader would keep its processes until the garbage collector
        # runs, which may delete their queues first and then wait seconds for each to end.
        self._loader: ref[ClipLoader] | None = None

    def accumulation(self, num_devices: int) -> int:
        """Batches of a device that make one step; InputError if the devices cannot share the batch evenly."""
        together = self.device_batch_size * num_devices
        if self.batch_size % together:
            raise InputError(
                f"datamodule.batch_size={self.batch_size} cannot be shared by {num_devices} devices of "
                f"datamodule.device_batch_size={self.device_batch_size}: make it a multiple of {together}"
            )
        return self.batch_size // together

    def check(self, decode: bool = False) -> bool:
        """Check all training data, unless the same data passed before.

        Args:
            decode: whether to decode every file instead of reading only its header.

        Returns:
            whether the check ran.

        Raises:
            InputError: some data cannot be used; the message lists them.
        """
        ran = False
        if self.videos:
            check = partial(check_videos, self.videos, self.num_frames, decode)
            ran = check_once(check, files_of(self.videos), f"videos, {self.num_frames} frames a clip, decode={decode}")
        if self.images is not None:
            check = partial(check_images, self.images, decode)
            ran = check_once(check, files_of(self.images), f"images, decode={decode}") or ran
        return ran

    def prepare_data(self) -> None:
        """Check the data in the first process; the others wait."""
        level, self.check_data = self.check_data, "none"  # Lightning calls this before every validation, too
        if level == "none":
            return
        start = time.perf_counter()
        try:
            ran = self.check(decode=level == "full")
        except InputError as error:
            self._fault = str(error)  # raised in all processes together
        else:
            name = f"check of the training data ({level}{'' if ran else ', as before: files unchanged'})"
            report_step(name, time.perf_counter() - start)

    def setup(self, stage: str) -> None:
        """Raise InputError in all processes if the check failed."""
        fault = self._fault if self.trainer is None else self.trainer.strategy.broadcast(self._fault)
        if fault is not None:
            raise InputError(fault)

    def sample_name(self, item: int) -> str:
        """Name in messages of an element that clips are made of: the videos, then the images."""
        if item < len(self.videos):
            return self.videos[item].name
        assert self.images is not None  # without images, items are videos
        return self.images.name(item - len(self.videos))

    def train_dataloader(self) -> ClipLoader:
        """Batches of this process; the order resumes at a restored position."""
        self.sampler = ClipSampler(
            self.repeats, self.samples_per_epoch, self.seed, *self._replicas(), self.curriculum, self.one_batch
        )
        if self._state is not None:
            self.sampler.load_state_dict(self._state)
        pinned = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return self._make_loader(self.sampler, self.device_batch_size, pin_memory=pinned)

    @contextmanager
    def naming_samples(self) -> Iterator[None]:
        """Raise InputError with the sample's name if a loader process dies in this context."""
        try:
            yield
        except RuntimeError as error:  # any part of the training may notice it
            loader = self._loader() if self._loader else None
            if loader is None:
                raise
            raise loader.explained(error) from error

    def calibration_dataloader(self) -> ClipLoader:
        """Batches of a whole step from the start of the order, equal in every process."""
        sampler = ClipSampler(self.repeats, self.samples_per_epoch, self.seed, curriculum=self.curriculum)
        return self._make_loader(sampler, self.batch_size, pin_memory=False)

    def val_dataloader(self) -> DataLoader:
        """This process's share of the sequences, one at a time; a single None if there are too few for it."""
        replicas, rank = self._replicas()
        share: list[VideoSequence | None] = list(self.sequences[rank::replicas])
        if rank and not share:  # a process without a batch would skip the end of the validation, and the others wait
            share = [None]
        return DataLoader(share, batch_size=None)  # type: ignore[arg-type]  # a list is a data set

    def _replicas(self) -> tuple[int, int]:
        """Number of processes, and the index of this one."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def _workers(self) -> int:
        if self.num_workers is not None:
            return self.num_workers
        num_local = self.trainer.num_devices if self.trainer else 1
        return max(1, min(MOST_WORKERS, cores_of_process(num_local) - 1))

    def _make_loader(self, sampler: ClipSampler, batch_size: int, pin_memory: bool) -> ClipLoader:
        loader = ClipLoader(
            self.clips,
            self.sample_name,
            self._workers(),
            batch_size=batch_size,
            sampler=sampler,
            pin_memory=pin_memory,
            drop_last=True,
        )
        self._loader = ref(loader)
        return loader

    def state_dict(self) -> dict[str, Any]:
        return {} if self.sampler is None else self.sampler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict or None
