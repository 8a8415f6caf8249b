"""Out-of-memory errors become advice; other errors are unchanged."""

import pytest
import torch

from vosmem.commands.common import advice_on_memory
from vosmem.commands.evaluation import MEMORY_ADVICE
from vosmem.errors import InputError


def too_much():
    torch.empty(2**46)  # more than any machine has


def too_large_a_list():
    raise MemoryError


@pytest.mark.parametrize("run", [too_much, too_large_a_list])
def test_memory_error_gives_one_line_of_advice(run):
    with pytest.raises(InputError, match=r"\Aout of memory: .*memory\.max_frames.*\Z"), advice_on_memory(MEMORY_ADVICE):
        run()


def test_other_errors_are_unchanged():
    with pytest.raises(RuntimeError, match="another"), advice_on_memory(MEMORY_ADVICE):
        raise RuntimeError("another")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_full_gpu_gives_advice():
    with pytest.raises(InputError, match="out of memory"), advice_on_memory(MEMORY_ADVICE):
        torch.empty(2**42, device="cuda")
