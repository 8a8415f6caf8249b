"""Out-of-memory errors become advice and free the device; other errors are unchanged."""

import weakref

import numpy as np
import pytest
import torch

from tests.golden_video import video
from vosmem.commands.evaluation import MEMORY_ADVICE
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.out_of_memory import advice_on_memory
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.memory.policy import EveryN
from vosmem.networks import STM

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def too_much():
    torch.empty(2**46)  # more than any machine has


def failing(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    "run",
    [
        too_much,
        failing(MemoryError()),
        failing(FULL),
        failing(RuntimeError("MPS backend out of memory (MPS allocated: 17.2 GB, max allowed: 18.1 GB)")),
        failing(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")),
        failing(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously")),
    ],
)
def test_memory_error_gives_one_line_of_advice(run):
    with pytest.raises(InputError, match=r"\Aout of memory: .*memory\.max_frames.*\Z"), advice_on_memory(MEMORY_ADVICE):
        run()


@pytest.mark.parametrize("text", ["another", "CUDA error: device-side assert triggered"])
def test_other_errors_are_unchanged(text):
    with pytest.raises(RuntimeError, match=text), advice_on_memory(MEMORY_ADVICE):
        raise RuntimeError(text)


def test_the_error_keeps_no_tensor():
    """A caller that keeps the error, to report it later, does not keep what filled the device."""
    held = []

    def fill():
        tensor = torch.empty(8)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    kept = None
    try:
        with advice_on_memory("x"):
            fill()
    except InputError as error:
        kept = error.with_traceback(None)
    assert kept is not None and str(kept.__cause__) == "CUDA out of memory."
    assert held[0]() is None


@pytest.mark.parametrize("part", ["encode_query", "encode_memory", "decode"])
@pytest.mark.parametrize("zoom", [None, Zoom()])
def test_a_step_that_ran_out_of_memory_can_be_repeated(small_stm, part, zoom, monkeypatch):
    """As a client of the service does when others have ended; results equal those of an undisturbed run."""
    frames, labels = video(4, 32, 48, 2, 1)
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    results = []
    for fails_at in (None, 2):
        propagator = Propagator(small_stm, EveryN(interval=1), zoom=zoom)
        for t, image in enumerate(images):
            if t == fails_at:
                with monkeypatch.context() as patch:
                    patch.setattr(type(small_stm), part, lambda *arguments, **options: failing(FULL)())
                    with pytest.raises(torch.OutOfMemoryError):
                        propagator.step(image)
            probs = propagator.step(image, torch.from_numpy(labels[0]) if t == 0 else None)
        results.append((probs, propagator.memory_frames))
    assert torch.equal(results[1][0], results[0][0]) and results[1][1] == results[0][1] == [0, 1, 2]


@pytest.mark.gpu
@needs_cuda
def test_a_full_gpu_gives_advice_and_is_free_again():
    """A video that is too large for the memory of the process; then a small one."""
    widths = {"key_channels": 64, "value_channels": 512, "decoder_channels": 256}
    engine = Engine(torch.device("cuda"))
    segmenter = Segmenter(STM(backbone="resnet18", **widths, weights="none"), engine)
    free = 2**30 / torch.cuda.mem_get_info()[1]
    mask = np.ones((1088, 1920), np.uint8)
    mask[::2] = 2
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(free)
    try:
        with pytest.raises(InputError, match="out of memory") as caught, advice_on_memory(MEMORY_ADVICE):
            for _ in segmenter.propagate(np.zeros((60, 1088, 1920, 3), np.uint8), mask, EveryN(interval=1)):
                pass
        found = list(segmenter.propagate(np.zeros((3, 48, 80, 3), np.uint8), mask[:48, :80]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(found) == 3 and caught.value.__cause__ is not None
