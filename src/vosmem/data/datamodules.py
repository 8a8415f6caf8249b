"""LightningDataModules: which samples, in which order, for training and validation."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from vosmem.data.checks import check_stills
from vosmem.data.clips import ClipSynthesis, SyntheticClips
from vosmem.data.sampling import ClipSampler
from vosmem.data.sets import repeats
from vosmem.data.stills import StillSource
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError


class PretrainData(pl.LightningDataModule):
    """Synthetic clips of stills for training, sequences for validation.

    Args:
        source: the training stills.
        synthesis: how a still becomes a training clip.
        sequences: what validation scores: clips of held-out stills, or videos.
        batch_size: clips of one optimiser step, over all devices.
        device_batch_size: clips that one device takes at a time; gradients are accumulated up to `batch_size`.
        samples_per_epoch: clips of an epoch; None is one pass through the stills. Rounded down to whole batches.
        seed: base seed of order and draws.
        num_workers: loader processes; they never change a sample.

    Raises:
        InputError: `device_batch_size` does not divide `batch_size`, or an epoch is shorter than a batch.
    """

    def __init__(
        self,
        *,
        source: StillSource,
        synthesis: ClipSynthesis,
        sequences: Sequence[VideoSequence],
        batch_size: int,
        device_batch_size: int,
        samples_per_epoch: int | None,
        seed: int,
        num_workers: int,
    ):
        super().__init__()
        self.clips = SyntheticClips(source, synthesis, seed)
        self.sequences = sequences
        self.batch_size, self.device_batch_size, self.num_workers = batch_size, device_batch_size, num_workers
        if batch_size % device_batch_size:
            raise InputError(f"data.device_batch_size={device_batch_size} does not divide data.batch_size={batch_size}")
        total = round(repeats(source).sum()) if samples_per_epoch is None else samples_per_epoch
        if total < batch_size:
            raise InputError(
                f"an epoch of {total} clips is below data.batch_size={batch_size}: raise data.samples_per_epoch"
            )
        self.samples_per_epoch, self.seed = total - total % batch_size, seed
        self.sampler: ClipSampler | None = None
        self._position: dict[str, Any] | None = None

    def accumulation(self, num_devices: int) -> int:
        """Batches of a device that make one step.

        Raises:
            InputError: the devices cannot share the batch evenly.
        """
        together = self.device_batch_size * num_devices
        if self.batch_size % together:
            raise InputError(
                f"data.batch_size={self.batch_size} cannot be shared by {num_devices} devices of "
                f"data.device_batch_size={self.device_batch_size}: make it a multiple of {together}"
            )
        return self.batch_size // together

    def check(self) -> None:
        """Look at all training stills before a run; InputError lists what cannot be used."""
        check_stills(self.clips.source)

    def train_dataloader(self) -> DataLoader:
        """Batches of this process; the order goes on from a restored position."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        self.sampler = ClipSampler(repeats(self.clips.source), self.samples_per_epoch, self.seed, replicas, rank)
        if self._position is not None:
            self.sampler.load_state_dict(self._position)
        return DataLoader(
            self.clips,
            batch_size=self.device_batch_size,
            sampler=self.sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
            drop_last=True,
        )

    def val_dataloader(self) -> DataLoader:
        """This process's share of the sequences, one at a time."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        return DataLoader(_Items(list(self.sequences[rank::replicas])), batch_size=None)

    def state_dict(self) -> dict[str, Any]:
        """The sampler's position."""
        return {} if self.sampler is None else self.sampler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved position when the loader is made."""
        self._position = state_dict or None


class _Items(Dataset):
    def __init__(self, items: list[VideoSequence]):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> VideoSequence:
        return self.items[index]
