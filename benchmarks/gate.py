"""Show what a trained gate has learnt: how likely it keeps frames that differ only in their novelty.

    python -m benchmarks.gate CHECKPOINT [...]

Each gate scores 4, 8 and 10 frames, of which two are always kept and the others are equally novel, equally used and
memorised one after the other. A gate that distinguishes frames keeps novel ones and evicts repeated ones; a gate that
has learnt a constant count gives all frames the same score.
"""

import argparse

import torch

from vosmem.checkpoints.loading import load_network
from vosmem.errors import InputError
from vosmem.networks.gate import MemoryGate
from vosmem.training.gating import NUM_FIXED

NOVELTIES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)  # real frames lie between the last value and 0.1
COUNTS = (4, 8, 10)


@torch.no_grad()
def kept_share(gate: MemoryGate, novelty: float, count: int) -> float:
    """Share of the frames that may be evicted and are kept.

    Args:
        gate: the gate.
        novelty: of each of them, as of `ops.novelty.rank`.
        count: all frames, those among them that stay in any case.
    """
    novel = torch.full((1, count), novelty)
    novel[:, :NUM_FIXED] = 1
    age = torch.arange(count - 1.0, -1, -1)[None]
    stay = gate(novel, torch.full((1, count), 1 / count), age, NUM_FIXED)
    return (float(stay) - NUM_FIXED) / (count - NUM_FIXED)


def main() -> None:
    """Print the shares of each gate."""
    parser = argparse.ArgumentParser(description="How likely trained gates keep frames, by their novelty.")
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="a network with a gate")
    for checkpoint in parser.parse_args().checkpoints:
        try:
            gate = load_network(checkpoint).gate
        except InputError as error:
            parser.error(str(error))
        if gate is None:
            parser.error(f"{checkpoint} has no gate: train one with phase=gate")
        print(checkpoint)
        print("  frames  novelty " + "".join(f"{novelty:>8g}" for novelty in NOVELTIES))
        for count in COUNTS:
            shares = [kept_share(gate, novelty, count) for novelty in NOVELTIES]
            print(f"  {count:6d}  kept    " + "".join(f"{share:8.2f}" for share in shares))


if __name__ == "__main__":
    main()
