"""The memory bank: kept and evicted frames, limits, and objects that appear later."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.memory.bank import MemoryBank
from vosmem.shapes import Memory


def entry(num_objects, value):
    return Memory(
        torch.full((num_objects, 2, 1, 1, 3), float(value)), torch.full((num_objects, 4, 1, 1, 3), float(value))
    )


def test_a_temporary_frame_is_dropped_with_the_next():
    bank = MemoryBank()
    bank.add(0, entry(1, 0), keep=True)
    bank.add(1, entry(1, 1), keep=False)
    assert bank.frames == [0, 1]
    bank.add(2, entry(1, 2), keep=True)
    assert bank.frames == [0, 2]
    (memory,) = bank.groups()
    assert memory.key[0, 0, :, 0, 0].tolist() == [0.0, 2.0]
    assert memory.value.shape == (1, 4, 2, 1, 3)


def test_late_objects_have_no_earlier_memory():
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


@pytest.mark.parametrize("row", [0, 1, 2])
def test_removing_an_object_frees_its_bytes(row):
    def rows(*values):
        part = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1, 1)
        return Memory(part, part.expand(-1, 2, -1, -1, -1))

    bank = MemoryBank()
    bank.add(0, rows(10), keep=True)
    bank.add(3, rows(11, 20, 30), keep=True)
    bank.remove(row)
    bank.add(4, rows(*[12, 21, 31][:row], *[12, 21, 31][row + 1 :]), keep=False)
    memories = [[10, 11, 12], [20, 21], [30, 31]]
    del memories[row]
    found = [values.flatten().tolist() for memory in bank.groups() for values in memory.key]
    assert found == memories and bank.num_objects == 2
    bank.remove(0)
    bank.remove(0)
    assert bank.nbytes() == 0 and bank.frames == []


def test_shared_keys_stay_when_one_object_is_removed():
    key = torch.rand(1, 2, 1, 1, 3).expand(3, -1, -1, -1, -1)
    bank = MemoryBank()
    bank.add(0, Memory(key, torch.rand(3, 4, 1, 1, 3)), keep=True)
    bank.remove(1)
    (memory,) = bank.groups()
    assert torch.equal(memory.key, key[:2]) and bank.nbytes() == (2 + 2 * 4) * 3 * 4


def filled(frames, num_objects=1, **limits):
    """A bank with `frames` kept frames, the first pinned; a frame takes 72 bytes for each object."""
    bank = MemoryBank(**limits)
    for t in range(frames):
        bank.add(t, entry(num_objects, t), keep=True, pinned=t == 0)
    return bank


def test_memory_holds_what_was_added_in_any_order():
    rng = torch.Generator().manual_seed(0)
    entries = [
        Memory(torch.rand(2, 3, 1, 2, 5, generator=rng), torch.rand(2, 4, 1, 2, 5, generator=rng)) for _ in range(9)
    ]
    bank = MemoryBank(max_frames=6)
    for t, memory in enumerate(entries):
        bank.add(t, memory, keep=t % 3 != 1, pinned=t in (0, 2))
    (group,) = bank.groups()
    assert bank.frames == [0, 2, 3, 5, 6, 8]
    for part, found in enumerate(group):
        rows = {tuple(found[:, :, index].flatten().tolist()) for index in range(found.shape[2])}
        assert rows == {tuple(entries[t][part].flatten().tolist()) for t in bank.frames}


def test_reading_copies_nothing():
    (memory,) = filled(5).groups()
    for part in memory:
        cells = part.flatten(2).transpose(1, 2)
        assert cells.data_ptr() == part.data_ptr() and cells.stride(-1) == 1 and cells.is_contiguous()


def test_adding_copies_only_when_the_buffers_double():
    bank, addresses = MemoryBank(), []
    for t in range(33):
        bank.add(t, entry(1, t), keep=True)
        addresses.append(next(bank.groups()).value.data_ptr())
    assert len(set(addresses)) <= 7  # 1, 2, 4, 8, 16, 32, 64


def test_shared_keys_are_stored_once():
    key = torch.rand(1, 2, 1, 1, 3).expand(4, -1, -1, -1, -1)
    bank = MemoryBank()
    for t in range(2):
        bank.add(t, Memory(key, torch.rand(4, 4, 1, 1, 3)), keep=True)
    (memory,) = bank.groups()
    assert bank.nbytes() == 2 * (2 + 4 * 4) * 3 * 4
    assert memory.key.stride(0) == 0 and torch.equal(memory.key[3, :, 1], key[3, :, 0])


@pytest.mark.parametrize("limits", [{"max_frames": 4}, {"budget_mb": 4.5 * 72 / 2**20}])
def test_at_the_limit_the_oldest_are_evicted_and_the_size_is_constant(limits, caplog):
    caplog.set_level("INFO")
    sizes = {filled(frames, **limits).nbytes() for frames in (4, 5, 9, 100)}
    bank = filled(100, **limits)
    assert sizes == {4 * 72} and bank.frames == [0, 97, 98, 99]
    assert [record.message.split(":")[0] for record in caplog.records].count("the memory is full") == 4  # once a bank


def test_a_tight_budget_lowers_the_precision_first(caplog):
    """Two pinned frames and one more take 216 bytes; 120 hold them at two bytes a number."""
    bank = MemoryBank(budget_mb=120 / 2**20)
    for t in range(6):
        bank.add(t, entry(1, t), keep=True, pinned=t < 2)
    (memory,) = bank.groups()
    assert bank.frames == [0, 1, 5] and memory.value.dtype is torch.bfloat16 and bank.nbytes() <= 120
    assert [record.message for record in caplog.records if "bfloat16" in record.message]


@pytest.mark.parametrize("limits", [{"max_frames": 4}, {"budget_mb": 2.5 * 72 / 2**20}])
def test_a_limit_holds_also_if_every_frame_has_a_given_mask(limits):
    """The first mask of each object stays."""
    bank = MemoryBank(**limits)
    for t in range(20):
        bank.add(t, entry(1 if t < 9 else 2, t), keep=True, pinned=True)
        assert len(bank) <= limits.get("max_frames", 99) and bank.nbytes() <= 2**20 * limits.get("budget_mb", 1)
    frames = [bank.of_object(row)[0] for row in (0, 1)]
    assert min(frames[0]) == 0 and min(frames[1]) == 9 and [max(own) for own in frames] == [19, 19]


def test_objects_that_appear_while_the_precision_is_lowered_have_it_too():
    """A frame of three objects takes 216 bytes, or 108."""
    bank = MemoryBank(budget_mb=250 / 2**20)
    bank.add(0, entry(1, 0), keep=True, pinned=True)
    bank.add(1, entry(3, 1), keep=True, pinned=True)
    assert {memory.value.dtype for memory in bank.groups()} == {torch.bfloat16} and bank.nbytes() <= 250


@pytest.mark.parametrize("dtype", [None, "bf16"])
def test_shared_keys_stay_shared_at_any_precision(dtype):
    key = torch.rand(1, 2, 1, 1, 3).expand(4, -1, -1, -1, -1)
    bank = MemoryBank(dtype=dtype)
    bank.add(0, Memory(key, torch.rand(4, 4, 1, 1, 3)), keep=True)
    assert bank.nbytes() == (2 + 4 * 4) * 3 * (2 if dtype else 4)


def test_a_budget_below_the_needed_frames_is_exceeded_with_a_warning(caplog):
    bank = filled(5, budget_mb=10 / 2**20)
    assert bank.frames == [0, 4]
    assert [record.message for record in caplog.records if "exceeded" in record.message]


@pytest.mark.parametrize(("dtype", "size"), [("fp32", 4), ("bf16", 2), ("fp16", 2)])
def test_stored_precision(dtype, size):
    assert filled(1, dtype=dtype).nbytes() == 18 * size


@pytest.mark.parametrize(
    "limits", [{"max_frames": 1}, {"budget_mb": 0.0}, {"budget_mb": float("nan")}, {"dtype": "int8"}]
)
def test_impossible_limits(limits):
    with pytest.raises(InputError, match=f"memory.{next(iter(limits))}"):
        MemoryBank(**limits)


def test_late_objects_share_the_budget():
    """18 numbers of 4 bytes for each object and frame; capacity of the first objects is freed."""
    budget = 16 * 18 * 4
    bank = MemoryBank(budget_mb=budget / 2**20)
    for t in range(30):
        bank.add(t, entry(1 if t < 10 else 2 if t < 20 else 4, t), keep=True, pinned=t in (0, 10, 20))
        assert bank.nbytes() <= budget
    assert [memory.key.shape[2] for memory in bank.groups()] == [4, 4, 4]
    assert [0 in bank.of_object(0)[0], 10 in bank.of_object(1)[0], 20 in bank.of_object(3)[0]] == [True] * 3


def test_pinned_frames_of_removed_objects_do_not_count_for_the_budget(caplog):
    """A stream whose objects appear and are removed stays in its budget and precision."""
    budget = 4 * 18 * 4
    bank = MemoryBank(budget_mb=budget / 2**20)
    for t in range(30):
        bank.add(t, entry(1, t), keep=t % 3 < 2, pinned=t % 3 != 1)  # pinned temporary frames are dropped all the same
        if t % 3 == 2 and t < 27:
            bank.remove(0)
        assert bank.nbytes() <= budget
    assert next(bank.groups()).value.dtype == torch.float32
    assert "do not fit" not in caplog.text
