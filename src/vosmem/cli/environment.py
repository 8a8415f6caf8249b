"""Settings of the command line for its own process, before torch is imported; importing the library sets nothing."""

import contextlib
import ctypes
import os
import sys

# Parameters of glibc's mallopt. Freed blocks above the threshold return to the kernel and cost a page fault for every
# 4 kB when they are allocated again; a network frees and allocates the same large tensors at every frame.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**31 - 1


def prepare(keep_freed: bool) -> None:
    """Let torch use huge pages, and with `keep_freed` the allocator keep freed memory, where the system supports it.

    Commands that exit when their work is done keep freed memory instead of returning it to the system.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    os.environ.setdefault(
        "PYTORCH_ENABLE_MPS_FALLBACK", "1"
    )  # the CPU computes what PyTorch has no kernel of Apple for
    if keep_freed and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
