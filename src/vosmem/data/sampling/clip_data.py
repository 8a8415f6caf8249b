"""What all data modules of clips share: the order of samples, resuming, validation and the check before a run."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import ref

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from torch.utils.data import DataLoader, Dataset

from vosmem.data.sampling.curriculum import Curriculum
from vosmem.data.sampling.loading import ClipLoader
from vosmem.data.sampling.sampler import ClipSampler
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.startup import report_stage

CHECKS = ("none", "headers", "full")


class ClipData(pl.LightningDataModule, ABC):
    """Clips for training in an order that resumes, sequences for validation.

    Args:
        clips: makes the clip of a sampler's key.
        repeats: how often each element of what the clips are made of stands in a pass through it.
        sequences: what validation scores: clips of held-out stills, or videos.
        batch_size: clips of one optimiser step, over all devices.
        device_batch_size: clips that one device takes at a time; gradients are accumulated up to `batch_size`.
        samples_per_epoch: clips of an epoch; None is one pass. Rounded down to whole batches.
        seed: base seed of order and draws.
        num_workers: loader processes; they never change a sample.
        curriculum: the greatest skip of each epoch, for clips of videos.
        one_batch: whether every step sees the clips of the first step: for a look at whether a network learns at all.

    Attributes:
        check_data: what the first process checks before a run: `none`, `headers`, or `full` (everything is decoded).

    Raises:
        InputError: `device_batch_size` does not divide `batch_size`, or an epoch is shorter than a batch.
    """

    check_data = "none"
    prepare_data_per_node = False  # one process checks for all

    def __init__(
        self,
        *,
        clips: Dataset,
        repeats: Float[np.ndarray, "N"],
        sequences: Sequence[VideoSequence],
        batch_size: int,
        device_batch_size: int,
        samples_per_epoch: int | None,
        seed: int,
        num_workers: int,
        curriculum: Curriculum | None = None,
        one_batch: bool = False,
    ):
        super().__init__()
        self.clips, self.repeats, self.sequences, self.curriculum = clips, repeats, sequences, curriculum
        self.batch_size, self.device_batch_size, self.num_workers = batch_size, device_batch_size, num_workers
        if batch_size % device_batch_size:
            raise InputError(
                f"datamodule.device_batch_size={device_batch_size} does not divide datamodule.batch_size={batch_size}"
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
        self._position: dict[str, Any] | None = None
        # Weakly: in a cycle with its data, a loader would keep its processes until the garbage collector comes, which
        # may take their queues first and then wait seconds for each to end.
        self._loader: ref[ClipLoader] | None = None

    def accumulation(self, num_devices: int) -> int:
        """Batches of a device that make one step.

        Raises:
            InputError: the devices cannot share the batch evenly.
        """
        together = self.device_batch_size * num_devices
        if self.batch_size % together:
            raise InputError(
                f"datamodule.batch_size={self.batch_size} cannot be shared by {num_devices} devices of "
                f"datamodule.device_batch_size={self.device_batch_size}: make it a multiple of {together}"
            )
        return self.batch_size // together

    @abstractmethod
    def check(self, decode: bool = False) -> bool:
        """Look at all training data, unless the same data passed before.

        Args:
            decode: whether all of their content is read, and not only the headers.

        Returns:
            whether it was looked at.

        Raises:
            InputError: some cannot be used; the message lists them.
        """

    def prepare_data(self) -> None:
        """Check the data, in the first process; the others wait."""
        level, self.check_data = self.check_data, "none"  # Lightning calls this before every validation, too
        if level == "none":
            return
        start = time.perf_counter()
        try:
            looked = self.check(decode=level == "full")
        except InputError as error:
            self._fault = str(error)  # raised in all processes together
        else:
            name = f"check of the training data ({level}{'' if looked else ', as before: files unchanged'})"
            report_stage(name, time.perf_counter() - start)

    def setup(self, stage: str) -> None:
        """Hear what the check found.

        Raises:
            InputError: some data cannot be used; the message lists them.
        """
        fault = self._fault if self.trainer is None else self.trainer.strategy.broadcast(self._fault)
        if fault is not None:
            raise InputError(fault)

    @abstractmethod
    def sample_name(self, item: int) -> str:
        """What messages call an element of what the clips are made of."""

    def train_dataloader(self) -> ClipLoader:
        """Batches of this process; the order goes on from a restored position."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        self.sampler = ClipSampler(
            self.repeats, self.samples_per_epoch, self.seed, replicas, rank, self.curriculum, self.one_batch
        )
        if self._position is not None:
            self.sampler.load_state_dict(self._position)
        pinned = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return self._clips_of(self.sampler, self.device_batch_size, pin_memory=pinned)

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Where a loader process dies while this is open, say at which sample.

        Raises:
            InputError: a loader process died.
        """
        try:
            yield
        except RuntimeError as error:  # wherever it was noticed
            loader = self._loader() if self._loader else None
            if loader is None:
                raise
            raise loader.explained(error) from error

    def calibration_dataloader(self) -> ClipLoader:
        """Batches of a whole step from the start of the order: the same in each of any number of processes."""
        sampler = ClipSampler(self.repeats, self.samples_per_epoch, self.seed, curriculum=self.curriculum)
        return self._clips_of(sampler, self.batch_size, pin_memory=False)

    def val_dataloader(self) -> DataLoader:
        """This process's share of the sequences, one at a time; a single None where there are too few for it."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        share = list(self.sequences[rank::replicas])
        # A process without a batch would skip the validation's end, where the others wait for it.
        return DataLoader(_ClipDataset(share or [None] if rank else share), batch_size=None)

    def _clips_of(self, sampler: ClipSampler, batch_size: int, pin_memory: bool) -> ClipLoader:
        loader = ClipLoader(
            self.clips,
            self.sample_name,
            self.num_workers,
            batch_size=batch_size,
            sampler=sampler,
            pin_memory=pin_memory,
            drop_last=True,
        )
        self._loader = ref(loader)
        return loader

    def state_dict(self) -> dict[str, Any]:
        """The sampler's position."""
        return {} if self.sampler is None else self.sampler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved position when the loader is made."""
        self._position = state_dict or None


class _ClipDataset(Dataset):
    def __init__(self, items: Sequence[VideoSequence | None]):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> VideoSequence | None:
        return self.items[index]
