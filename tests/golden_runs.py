"""The golden runs of the published networks on any engine, for tests and `benchmarks.gpu_check`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tests.golden_video import video
from tests.reference_checkpoint import reference_state_dict
from tests.reference_stcn import stcn_state_dict
from vosmem.checkpoints import load_reference_stcn
from vosmem.checkpoints.published import load_reference_stm
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import EveryN
from vosmem.networks.network import MemoryNetwork

ROUNDING = 2e-4  # largest error of a probability in float32, see `tests/checkpoints/test_published_stcn.py`


class GoldenRun(NamedTuple):
    """A network from a seed, a video, and the memory interval."""

    load: Callable[[], MemoryNetwork]
    video: tuple[int, int, int, int, int]
    interval: int


RUNS = {
    "stcn_one_object": GoldenRun(lambda: load_reference_stcn(stcn_state_dict(55)), (7, 160, 232, 1, 55), 2),
    "stcn_three_objects": GoldenRun(lambda: load_reference_stcn(stcn_state_dict(90)), (6, 140, 200, 3, 90), 2),
    "stm_one_object": GoldenRun(lambda: load_reference_stm(reference_state_dict(5)), (7, 240, 427, 1, 5), 2),
    "stm_two_objects": GoldenRun(lambda: load_reference_stm(reference_state_dict(14)), (6, 203, 310, 2, 14), 5),
}


def differences(name: str, engine: Engine) -> tuple[float, float]:
    """Return the largest error of a probability, and the share of changed labels."""
    run, golden = RUNS[name], np.load(Path(__file__).parent / "golden" / f"{name}.npz")
    frames, labels = video(*run.video)
    propagator = Propagator(engine.ready(run.load()), EveryN(interval=run.interval))
    found = []
    with engine.context():
        for t, frame in enumerate(frames):
            image = torch.from_numpy(frame).permute(2, 0, 1).to(engine.device).float() / 255
            found.append(propagator.step(image, torch.from_numpy(labels[0]) if t == 0 else None).float().cpu())
    probs = torch.stack(found[1:]).numpy()
    error = np.abs(probs[:, :, ::16, ::16] - golden["probs"]).max()
    return float(error), float((probs.argmax(axis=1)[:, ::4, ::4] != golden["labels"]).mean())


def whole_float32() -> AbstractContextManager[None]:
    """Return a context in which convolutions do not round float32 to TF32, which cuDNN does by default."""
    context: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return context
