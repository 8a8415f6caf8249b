"""Default limits: from the free memory of the machine or of its control groups, and only for policies without one."""

import psutil
import pytest
import torch

from vosmem.memory.budget import MAX_FRAMES, available_bytes, bounded
from vosmem.memory.policy import EveryN

CPU = torch.device("cpu")
FREE = 10 * 2**30
STAT = "anon 5\ninactive_file 1048576"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with ten gigabytes."""
    free = psutil.virtual_memory()._replace(available=FREE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"memory.{name}").write_text(f"{content}\n")


def test_the_limit_of_any_group_above_the_process_holds(tmp_path):
    (tmp_path / "own").write_text("0::/job/step\n")
    group(tmp_path / "job", max=8 * 2**20, current=3 * 2**20, stat=STAT)
    group(tmp_path / "job" / "step", max="max", current=2**20, stat=STAT)
    assert available_bytes(CPU, tmp_path, tmp_path / "own") == (8 - 3 + 1) * 2**20


def test_version_1_and_a_container_that_sees_its_group_as_the_root(tmp_path):
    (tmp_path / "own").write_text("9:cpu:/\n4:memory:/docker/0123\n0::/\n")
    stat = f"inactive_file 7\ntotal_inactive_file {2**20}"
    group(tmp_path / "memory", limit_in_bytes=64 * 2**20, usage_in_bytes=60 * 2**20, stat=stat)
    assert available_bytes(CPU, tmp_path, tmp_path / "own") == 5 * 2**20


@pytest.mark.parametrize("content", [None, "0::/\n", "4:memory:/\n"])
def test_without_a_limit_the_memory_of_the_machine_counts(tmp_path, content):
    if content is not None:
        (tmp_path / "own").write_text(content)
    assert available_bytes(CPU, tmp_path, tmp_path / "own") == FREE


def test_a_policy_without_limits_is_bounded():
    assert bounded(EveryN(), CPU) == EveryN(max_frames=MAX_FRAMES, budget_mb=2048.0)
    assert bounded(EveryN(), CPU, sharing=4).budget_mb == 512


@pytest.mark.parametrize("limits", [{"max_frames": 500}, {"budget_mb": 1e6}])
def test_a_limit_of_the_user_replaces_both_defaults(limits):
    assert bounded(EveryN(**limits), CPU) == EveryN(**limits)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_free_memory_of_a_gpu():
    device = torch.device("cuda")
    total = torch.cuda.get_device_properties(device).total_memory
    before = available_bytes(device)
    held = torch.empty(2**28, dtype=torch.uint8, device=device)
    assert 0 < before <= total and before - available_bytes(device) >= held.nbytes - 2**24
