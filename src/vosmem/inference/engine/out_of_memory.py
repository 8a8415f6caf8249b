"""Errors of a full device or machine, as advice."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vosmem.errors import InputError

# Texts of errors for which PyTorch has no type: of the CPU, of MPS, and of libraries and the driver of CUDA.
SIGNS = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",
)


@contextmanager
def advice_on_memory(advice: str) -> Iterator[None]:
    """Turn an out-of-memory error of the device or the machine into an InputError with advice.

    The traceback of the cause is dropped. A caller that keeps the InputError drops its traceback, too: the frames would
    keep the tensors that fill the device.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"out of memory: {advice}") from error.with_traceback(None)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports that memory ran out.

    Example:
        >>> is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
        True
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)
