"""Loader processes that name the sample they fail at, also if a process is killed."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from vosmem.data.sampling.sampler import SampleKey
from vosmem.errors import InputError


class Fault(NamedTuple):
    """A sample's error message in place of the sample: an exception would leave a loader process as a stack trace."""

    message: str


class ClipLoader(DataLoader):
    """Batches of clips, from loader processes or from this one; `name` names an item's sample in messages."""

    def __init__(self, clips: Dataset, name: Callable[[int], str], num_workers: int, **settings: Any):
        self.name = name
        # For each loader process its id and the item that it works on; -1 for none.
        self.at = torch.full((num_workers, 2), -1, dtype=torch.int64).share_memory_()
        super().__init__(
            _ReportingClips(clips, self.at) if num_workers else clips,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            collate_fn=_collate if num_workers else None,
            worker_init_fn=_ignore_interrupt if num_workers else None,
            **settings,
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # only iteration is needed
        """The batches; InputError if a sample cannot be made."""
        for batch in super().__iter__():
            if isinstance(batch, Fault):
                raise InputError(batch.message)
            yield batch

    def explained(self, error: RuntimeError) -> Exception:
        """The exception to raise for an error of a training: that of a dead loader process names its sample."""
        process_ids = dead_processes(error)
        if not process_ids:
            return error
        names = [self.name(item) for process_id, item in self.at.tolist() if process_id in process_ids and item >= 0]
        where = f" at sample {', '.join(names)}" if names else ""
        return InputError(
            f"a loader process died{where}, perhaps for lack of memory: check that sample's files, or use fewer "
            f"processes, datamodule.num_workers={self.num_workers // 2}"
        )


def dead_processes(error: RuntimeError) -> set[int]:
    """The ids of the loader processes that an error of PyTorch reports as dead; none for any other error.

    Seen in torch 2.14.1: only the text names a process. `tests/data/test_library_internals.py` says what broke it.
    """
    dead = re.match(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)", str(error))
    return set() if dead is None else {int(number) for number in dead[1].split(",")}


class _ReportingClips(Dataset):
    """Clips that record the item that each loader process works on."""

    def __init__(self, clips: Dataset, at: torch.Tensor):
        self.clips, self.at = clips, at

    def __getitem__(self, key: SampleKey) -> Any:
        worker = get_worker_info()
        assert worker is not None  # only loader processes use this class
        self.at[worker.id] = torch.tensor((os.getpid(), key.item))
        try:
            return self.clips[key]
        except InputError as error:
            return Fault(str(error))
        finally:
            self.at[worker.id, 1] = -1


def _collate(samples: list[Any]) -> Any:
    faults = (sample for sample in samples if isinstance(sample, Fault))
    return next(faults, None) or default_collate(samples)


def _ignore_interrupt(worker_id: int) -> None:
    """Leave Ctrl-C to the training, which may still need batches for its last step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
