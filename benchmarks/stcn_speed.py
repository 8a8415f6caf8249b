"""STCN's frame by this package's engine beside the plain network, in pairs that take turns; prints the ratio.

    python -m benchmarks.stcn_speed [--num-objects 1 3] [--num-frames 5] [--size 480 854] [--pairs 5]

A frame is memorised and the next one is segmented, by random weights in the published layout, in float32, in one
process.
Neighbours slow both of a pair alike, so the median of the ratios holds better than either time.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from benchmarks.plain_stcn import PlainSTCN, border

from tests.reference_stcn import stcn_state_dict
from vosmem.benchmark.engine import EngineFrame
from vosmem.benchmark.scene import made_frame
from vosmem.benchmark.turns import Case
from vosmem.checkpoints import load_reference_stcn
from vosmem.inference.engine.engine import Engine

SEED = 55


class PlainFrame:
    """The plain network on the frames of `EngineFrame`, its memory concatenated for every frame.

    Args:
        network: the network.
    """

    def __init__(self, network: PlainSTCN):
        self.network = network

    def prepare(self, case: Case) -> None:
        """Keys and values of T - 1 frames; the last frame is encoded, since the query's features are memorised."""
        self.case = case
        self.entries = [self._memorize(t, self._encode(t)) for t in range(case.num_frames - 1)]
        self.last = self._encode(case.num_frames - 1)
        self.image, _ = made_frame(case.num_frames, case.num_objects, case.height, case.width)
        self.masks = self._masks(case.num_frames - 1)

    def frame(self) -> torch.Tensor:
        """Memorise one, segment the next; probabilities of background and objects without the border."""
        entries = [*self.entries, self.network.memorize(self.last, self.masks)]
        keys, values = (torch.cat(parts, dim=2) for parts in zip(*entries, strict=True))
        probs = self.network.segment(self.network.encode(self.image), keys, values)
        left, right, top, bottom = border(self.case.height, self.case.width)
        return probs[:, 0, top : probs.shape[2] - bottom, left : probs.shape[3] - right]

    def _encode(self, t: int) -> tuple[torch.Tensor, ...]:
        return self.network.encode(made_frame(t, self.case.num_objects, self.case.height, self.case.width)[0])

    def _memorize(self, t: int, encoded: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.network.memorize(encoded, self._masks(t))

    def _masks(self, t: int) -> torch.Tensor:
        case = self.case
        _, labels = made_frame(t, case.num_objects, case.height, case.width)
        masks = F.one_hot(labels.long(), case.num_objects + 1).permute(2, 0, 1)[1:, None].float()
        return F.pad(masks, border(case.height, case.width))


def pairs(plain: PlainFrame, own: EngineFrame, case: Case, count: int) -> list[tuple[float, float]]:
    """Seconds of a frame of both, in turns, after one of each to warm up; who goes first alternates."""
    both: list[Callable[[], object]] = [plain.frame, own.frame]
    for one in (plain, own):
        one.prepare(case)
        one.frame()
    found = []
    for turn in range(count):
        seconds = [0.0, 0.0]
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            start = time.perf_counter()
            both[index]()
            seconds[index] = time.perf_counter() - start
        found.append((seconds[0], seconds[1]))
    return found


def largest_difference(plain: PlainFrame, own: EngineFrame, case: Case) -> float:
    """The largest difference of any probability of one step, by one remembered frame."""
    plain.prepare(case._replace(num_frames=1))
    return float((plain.frame() - torch.from_numpy(own.step(case))).abs().max())


def main() -> None:
    """Print a line for each number of objects."""
    parser = argparse.ArgumentParser(description="STCN's frame beside the plain network.")
    parser.add_argument("--num-objects", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--num-frames", type=int, default=5, help="in memory")
    parser.add_argument("--size", type=int, nargs=2, default=[480, 854], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    state = stcn_state_dict(SEED)
    plain = PlainFrame(PlainSTCN(state))
    own = EngineFrame(load_reference_stcn(state), Engine(torch.device("cpu")))
    for num_objects in options.num_objects:
        case = Case(num_objects, options.num_frames, *options.size)
        found = pairs(plain, own, case, options.pairs)
        times = " and ".join(f"{1000 * median(column):.0f}" for column in zip(*found, strict=True))
        ratios = sorted(first / second for first, second in found)
        difference = largest_difference(plain, own, case)
        print(
            f"K={num_objects} T={case.num_frames}: {times} ms, {median(ratios):.2f} times as fast "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f} of {len(ratios)} pairs), probabilities differ by {difference:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
