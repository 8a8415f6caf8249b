"""The bank: what stays, what goes, and objects that join later."""

import torch

from vosmem.memory.bank import MemoryBank
from vosmem.shapes import Memory


def entry(num_objects, value):
    return Memory(
        torch.full((num_objects, 2, 1, 1, 3), float(value)), torch.full((num_objects, 4, 1, 1, 3), float(value))
    )


def test_a_temporary_frame_goes_with_the_next():
    bank = MemoryBank()
    bank.add(0, entry(1, 0), keep=True)
    bank.add(1, entry(1, 1), keep=False)
    assert bank.frames == [0, 1]
    bank.add(2, entry(1, 2), keep=True)
    assert bank.frames == [0, 2]
    (memory,) = bank.groups()
    assert memory.key[0, 0, :, 0, 0].tolist() == [0.0, 2.0]
    assert memory.value.shape == (1, 4, 2, 1, 3)


def test_late_objects_remember_nothing_from_before():
    bank = MemoryBank()
    bank.add(0, entry(1, 0), keep=True)
    bank.add(5, entry(3, 5), keep=True)
    bank.add(6, entry(3, 6), keep=False)
    first, late = bank.groups()
    assert first.key.shape[:3] == (1, 2, 3) and late.key.shape[:3] == (2, 2, 2)
    assert bank.num_objects == 3
    bank.add(7, entry(3, 7), keep=False)
    assert [memory.key.shape[2] for memory in bank.groups()] == [3, 2]


def test_bytes():
    bank = MemoryBank()
    assert bank.nbytes() == 0 and len(bank) == 0
    bank.add(0, entry(2, 0), keep=True)
    assert bank.nbytes() == 2 * (2 + 4) * 3 * 4
