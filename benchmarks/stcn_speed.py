"""Compare a frame of STCN by the engine with a frame of the plain network, in pairs that take turns.

    python -m benchmarks.stcn_speed [--num-objects 1 3] [--num-frames 5] [--size 480 854] [--pairs 5]

One frame is memorised and the next one segmented, with random weights in the published layout, in float32 and in one
process. A busy machine slows both of a pair alike, so the printed median of the ratios is steadier than either time.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from benchmarks.plain_stcn import PlainSTCN, border

from tests.reference_stcn import stcn_state_dict
from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame, synthetic_frame
from vosmem.checkpoints import load_reference_stcn
from vosmem.inference.engine.engine import Engine

SEED = 55


class PlainFrame:
    """The plain network on the frames of `EngineFrame`; its memory is concatenated again for every frame.

    Args:
        network: the network.
        case: the size of the work; the constructor memorises the T - 1 frames before.
    """

    def __init__(self, network: PlainSTCN, case: Case):
        self.network, self.case = network, case
        self.device = next(network.parameters()).device
        self.entries = [network.memorize(self._encode(t), self._masks(t)) for t in range(case.num_frames - 1)]
        self.last = self._encode(case.num_frames - 1)  # the features of the query are memorised
        self.image, _ = self._drawn(case.num_frames)
        self.masks = self._masks(case.num_frames - 1)

    def frame(self) -> torch.Tensor:
        """Memorise one frame, segment the next one; probabilities of background and objects without the border."""
        entries = [*self.entries, self.network.memorize(self.last, self.masks)]
        keys, values = (torch.cat(parts, dim=2) for parts in zip(*entries, strict=True))
        probs = self.network.segment(self.network.encode(self.image), keys, values)
        left, right, top, bottom = border(self.case.height, self.case.width)
        return probs[:, 0, top : probs.shape[2] - bottom, left : probs.shape[3] - right]

    def _drawn(self, t: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, labels = synthetic_frame(t, self.case.num_objects, self.case.height, self.case.width)
        return image.to(self.device), labels.to(self.device)

    def _encode(self, t: int) -> tuple[torch.Tensor, ...]:
        return self.network.encode(self._drawn(t)[0])

    def _masks(self, t: int) -> torch.Tensor:
        masks = F.one_hot(self._drawn(t)[1].long(), self.case.num_objects + 1).permute(2, 0, 1)[1:, None].float()
        return F.pad(masks, border(self.case.height, self.case.width))


def pairs(plain: PlainFrame, own: EngineFrame, count: int) -> list[tuple[float, float]]:
    """Seconds of a frame of both, after one frame of each to warm up; the order alternates."""
    both: list[Callable[[], object]] = [plain.frame, own.frame]
    for run in both:
        run()
    found = []
    for turn in range(count):
        seconds = [0.0, 0.0]
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            start = time.perf_counter()
            both[index]()
            seconds[index] = time.perf_counter() - start
        found.append((seconds[0], seconds[1]))
    return found


def largest_difference(plain: PlainFrame, own: EngineFrame) -> float:
    """The largest difference of any probability."""
    return float((plain.frame() - own.frame()).abs().max())


def main() -> None:
    """Print a line for each number of objects."""
    parser = argparse.ArgumentParser(description="Time a frame of STCN next to the plain network.")
    parser.add_argument("--num-objects", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--num-frames", type=int, default=5, help="in memory")
    parser.add_argument("--size", type=int, nargs=2, default=[480, 854], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    state, engine = stcn_state_dict(SEED), Engine(torch.device("cpu"))
    plain, network = PlainSTCN(state), engine.ready(load_reference_stcn(state))
    for num_objects in options.num_objects:
        case = Case(num_objects, options.num_frames, *options.size)
        found = pairs(PlainFrame(plain, case), EngineFrame(network, engine, case), options.pairs)
        step = case._replace(num_frames=1)
        difference = largest_difference(PlainFrame(plain, step), EngineFrame(network, engine, step))
        times = " and ".join(f"{1000 * median(column):.0f}" for column in zip(*found, strict=True))
        ratios = sorted(first / second for first, second in found)
        print(
            f"K={num_objects} T={case.num_frames}: {times} ms, {median(ratios):.2f} times as fast "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f} of {len(ratios)} pairs), probabilities differ by {difference:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
