"""What a process takes, what a device is and how fast it convolves."""

import platform
import sys
import time
from pathlib import Path

import torch
from torch import nn

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

REPEATS = 9
# The layer that a frame spends most of its time in: a 3x3 convolution of 256 channels at stride 4 of 480 x 854.
CHANNELS, HEIGHT, WIDTH = 256, 120, 216


def resident_mb(peak: bool = False) -> float:
    """Resident size of this process in MB of 2^20 bytes, now or at its largest; nan where the system does not tell."""
    if resource is None:
        return float("nan")
    statm = Path("/proc/self/statm")
    if peak or not statm.is_file():
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return int(statm.read_text(encoding="utf-8").split()[1]) * resource.getpagesize() / 2**20


@torch.inference_mode()
def convolution_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The best rate of several runs of a large 3x3 convolution, in GFLOP/s."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(device, dtype).to(memory_format=torch.channels_last)
    x = torch.rand(1, CHANNELS, HEIGHT, WIDTH, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    work = 2 * 9 * CHANNELS**2 * HEIGHT * WIDTH / 1e9
    seconds = []
    for _ in range(REPEATS):
        synchronize(device)
        start = time.perf_counter()
        layer(x)
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return work / min(seconds)


def synchronize(device: torch.device) -> None:
    """Wait for what a device was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe(device: torch.device) -> dict[str, str | int]:
    """The device and the versions that figures depend on."""
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
