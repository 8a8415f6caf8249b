"""Run the plain STM as an implementation that takes turns with the engine.

python -m benchmarks.reference --write FILE      random weights in the published layout
python -m benchmarks.reference                   a worker of `benchmarks.compare_engines`
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.plain_stm import NUM_SLOTS, PlainSTM
from benchmarks.turns import serve
from torch import Tensor

from tests.reference_checkpoint import reference_state_dict
from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import synthetic_frame

SEED = 5
DTYPES = {"fp32": torch.float32, "fp64": torch.float64}


class PlainFrame:
    """The plain network, whose memory is concatenated again for every frame.

    Args:
        settings: `checkpoint`, `device` (`auto` for CUDA if present) and `precision`.
    """

    def __init__(self, settings: dict[str, Any]):
        self.dtype = DTYPES[settings["precision"]]
        device = settings["device"]
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        state = torch.load(settings["checkpoint"], map_location="cpu", weights_only=True)
        self.network = PlainSTM(state).to(self.device, self.dtype)

    def prepare(self, case: Case) -> None:
        """Memorise T - 1 frames."""
        self.case = case
        self._frames = {}  # frames are drawn once, outside of the timing
        entries = [self._entry(t) for t in range(case.num_frames - 1)]
        self.kept = [torch.cat(parts, dim=3) for parts in zip(*entries, strict=True)] if entries else None

    def frame(self) -> None:
        """Memorise one frame, segment the next one."""
        self._segment(self.case.num_frames - 1)

    def parts(self) -> dict[str, float]:
        """Parts are not separated."""
        return {}

    def step(self, case: Case) -> np.ndarray:
        """Segment the second frame from the first."""
        self.prepare(case._replace(num_frames=1))
        return self._segment(0)[0, : case.num_objects + 1].softmax(dim=0).cpu().numpy()

    def rate(self) -> None:
        """No floor: the rate of the engine counts."""

    def peak_mb(self) -> float | None:
        """None on a CPU, for the memory of the process."""
        return torch.cuda.max_memory_allocated(self.device) / 2**20 if self.device.type == "cuda" else None

    def _entry(self, t: int) -> tuple[Tensor, Tensor]:
        image, labels = self._frame(t)
        wide = F.one_hot(labels.long(), NUM_SLOTS).permute(2, 0, 1)[None]
        return self.network.memorize(image, wide.to(self.dtype), self.case.num_objects)

    def _segment(self, t: int) -> Tensor:
        new = self._entry(t)
        memory = new if self.kept is None else [torch.cat(pair, dim=3) for pair in zip(self.kept, new, strict=True)]
        logits = self.network.segment(self._frame(t + 1)[0], *memory, self.case.num_objects)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return logits

    def _frame(self, t: int) -> tuple[Tensor, Tensor]:
        if t not in self._frames:
            image, labels = synthetic_frame(t, self.case.num_objects, self.case.height, self.case.width)
            self._frames[t] = image.to(self.device, self.dtype), labels.to(self.device)
        return self._frames[t]


def main() -> None:
    """Write weights, or run a worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.write is None:
        serve(PlainFrame)
    else:
        torch.save(reference_state_dict(SEED), options.write)


if __name__ == "__main__":
    main()
