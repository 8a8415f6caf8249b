"""Loader processes name the sample that they fail at."""

import os
import signal

import pytest
import torch
from torch.utils.data import Dataset

from vosmem.data.sampling.loading import ClipLoader
from vosmem.data.sampling.sampler import ClipSampler
from vosmem.errors import InputError

BAD = 5


class Numbers(Dataset):
    """Samples that are their number; one of them is met by a fault."""

    def __init__(self, fault):
        self.fault = fault

    def __getitem__(self, key):
        if key.item == BAD:
            self.fault()
        return torch.tensor(key.item)


def nothing():
    pass


def unreadable():
    raise InputError("image '5.jpg' cannot be read: replace the file")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def loader(fault, num_workers=2) -> ClipLoader:
    sampler = ClipSampler([1.0] * 8, 8, seed=0)
    return ClipLoader(Numbers(fault), lambda item: f"number {item}", num_workers, batch_size=2, sampler=sampler)


def test_any_number_of_processes_gives_all_samples():
    expected = [batch.tolist() for batch in loader(nothing, num_workers=0)]
    assert sorted(number for batch in expected for number in batch) == list(range(8))
    workers = loader(nothing)
    assert [batch.tolist() for batch in workers] == expected == [batch.tolist() for batch in workers]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_faulty_sample_gives_one_line(num_workers):
    with pytest.raises(InputError, match=r"\Aimage '5\.jpg' cannot be read: replace the file\Z"):
        list(loader(unreadable, num_workers))


def test_a_process_that_dies_names_its_sample():
    workers = loader(killed)
    with pytest.raises(RuntimeError) as caught:
        list(workers)
    reported = workers.explained(caught.value)
    assert isinstance(reported, InputError) and "died at sample number 5, perhaps" in str(reported)
    assert "datamodule.num_workers=1" in str(reported)
    other = RuntimeError("shapes differ")
    assert workers.explained(other) is other


def test_the_next_samples_of_all_processes():
    sampler = ClipSampler([1.0] * 6, 6, seed=1, num_replicas=2, rank=1)
    whole = sampler.upcoming(6)
    assert list(sampler) == whole[1::2]
    sampler.advance(2)
    assert sampler.upcoming(3) == whole[4:] and list(sampler) == [whole[5]]
