"""Default limits of the memory of users' videos, so that neither memory nor time grow with a video's length."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from vosmem.memory.policy import MemoryPolicy

MAX_FRAMES = 32  # reading them takes a fifth of a frame's time in STM; every fifth frame of 160
SHARE = 0.25  # of the available memory; buffers that grow are copied, and the network needs room
MEGABYTE = 2**20
# Names of the files with limit and usage: of version 2, whose groups have all controllers, and of version 1.
CGROUP_FILES = {
    "": ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def bounded(policy: MemoryPolicy, device: torch.device, sharing: int = 1) -> MemoryPolicy:
    """Return the policy with `MAX_FRAMES` and a budget from what the machine has, unless it has a limit already.

    Below both limits the results are those of the unlimited policy. `sharing` memories share the device.
    """
    if policy.max_frames is not None or policy.budget_mb is not None:
        return policy
    return replace(policy, max_frames=MAX_FRAMES, budget_mb=budget_mb(available_bytes(device), sharing))


def budget_mb(available: int, sharing: int = 1) -> float:
    """Return the size for each of `sharing` memories in units of 2^20 bytes, where `available` bytes are free.

    It is a power of two, so that a machine gives the same budget although its free memory varies.

    Example:
        >>> budget_mb(24 * 2**30), budget_mb(22 * 2**30), budget_mb(24 * 2**30, sharing=2)
        (4096.0, 4096.0, 2048.0)
    """
    return float(2 ** math.floor(math.log2(max(1.0, SHARE * available / sharing / MEGABYTE))))


def available_bytes(device: torch.device, cgroups: Path = Path("/sys/fs/cgroup"), own: Path | None = None) -> int:
    """Return the bytes that this process may still allocate on a device.

    Args:
        device: a CUDA device has its own memory; all others use that of the machine.
        cgroups: where the control groups of Linux are mounted, whose limits apply (containers, SLURM).
        own: the file that lists the control groups of this process.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    rooms = _rooms_in_cgroups(cgroups, Path("/proc/self/cgroup") if own is None else own)
    return max(0, min([int(psutil.virtual_memory().available), *rooms]))


def _rooms_in_cgroups(root: Path, own: Path) -> Iterator[int]:
    """Yield the free bytes of each control group with a limit that holds this process, of version 1 or 2."""
    if not own.is_file():
        return
    for line in own.read_text(encoding="utf-8").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers in CGROUP_FILES:
            mount = root / controllers
            group = mount / name.lstrip("/")
            # A container may see its group as the root of the mount, although the file has the path on the host.
            for folder in (group, *group.parents):
                if folder.is_relative_to(mount):
                    yield from _room(folder, *CGROUP_FILES[controllers])


def _room(folder: Path, limit_name: str, usage_name: str) -> Iterator[int]:
    """Yield limit minus usage, where cached files that the system drops when it needs room are not usage."""
    try:
        limit, usage = ((folder / name).read_text(encoding="utf-8").strip() for name in (limit_name, usage_name))
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return  # the root group has no limit
    if limit != "max":
        cached = statistics.get("total_inactive_file", statistics.get("inactive_file", "0"))
        yield int(limit) - int(usage) + int(cached)
