"""The device that a benchmark runs on: its name, its speed and the memory in use."""

import contextlib
import ctypes
import logging
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from torch import nn

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# The layer that takes most of a frame's time: a 3x3 convolution of 256 channels at stride 4 of 480 x 854.
CHANNELS, HEIGHT, WIDTH = 256, 120, 216
RATE_SECONDS = 1.0
CLEAR_PEAK = "5"  # written to /proc/self/clear_refs, resets the kernel's record of the largest resident size


def seconds_of(run: Callable[[], object], min_seconds: float) -> list[float]:
    """Seconds of each repetition of a call, which is repeated for at least `min_seconds`, and at least once.

    The device is synchronised before and after each repetition.
    """
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # warns of a CUDA toolkit without a GPU
    from torch.utils.benchmark import Timer

    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads(), timer=synchronised_clock)
    return list(timer.blocked_autorange(min_run_time=min_seconds).times)


def synchronised_clock() -> float:
    """Return the time in seconds when the work of the accelerator is done; PyTorch's own clock waits for CUDA only."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


@torch.inference_mode()
def convolution_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the best of several runs of a large 3x3 convolution, in GFLOP/s."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(device, dtype).to(memory_format=torch.channels_last)
    x = torch.rand(1, CHANNELS, HEIGHT, WIDTH, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    best = min(seconds_of(lambda: layer(x), RATE_SECONDS))
    return 2 * 9 * CHANNELS**2 * HEIGHT * WIDTH / 1e9 / best


def resident_mb(peak: bool = False) -> float:
    """Resident size of this process in units of 2^20 bytes, now or at its largest; the latter is nan on Windows."""
    if not peak:
        return float(psutil.Process().memory_info().rss / 2**20)
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def reset_peak(device: torch.device) -> float:
    """Reset the record of the largest memory use; return the current use in units of 2^20 bytes.

    On a CPU, memory that was freed but not returned to the system is returned first (Linux only).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # not glibc, or no permission
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text(CLEAR_PEAK, encoding="utf-8")
    return resident_mb()


def peak_mb(device: torch.device) -> float:
    """The largest memory use since `reset_peak`, in units of 2^20 bytes: of the GPU, otherwise of the process."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else resident_mb(peak=True)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe(device: torch.device) -> dict[str, str | int]:
    """The device and the versions that the figures depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
