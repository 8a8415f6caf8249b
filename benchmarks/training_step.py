"""Measure a training step: clips a second and peak memory, by precision, with and without recomputed activations.

    python -m benchmarks.training_step [--size 384] [--repeats 5] [--profile] [KEY=VALUE ...]    (of `vosmem train`)

Forward, backward and optimiser step of one clip of 3 frames with two objects; ResNet-50 as in the paper unless model=
says otherwise. Each variant has its own process, and the processes take turns. The peak is the largest resident size
(on a GPU: memory) beyond that after loading. `--profile` prints the most expensive operations of one step instead.
"""

import argparse
import statistics
import sys
from typing import Any

import torch
from benchmarks.turns import Worker, serve
from hydra import compose, initialize_config_module
from hydra.utils import instantiate

from vosmem.benchmark.cases import Case
from vosmem.benchmark.machine import synchronize
from vosmem.commands.common import pick_device
from vosmem.inference.engine.precision import in_precision
from vosmem.networks.compilation import compile_for_training
from vosmem.shapes import Clip
from vosmem.training.unroll import unroll

VARIANTS = {
    "fp32": (torch.float32, False),
    "fp32, recompute": (torch.float32, True),
    "bf16": (torch.bfloat16, False),
    "bf16, recompute": (torch.bfloat16, True),
}
NUM_OBJECTS = 2


class Step:
    """One variant as an implementation that takes turns.

    Args:
        settings: `variant`, `size` and the `overrides` of the configuration; optionally `device`, and `compiled` for
            compiled backbones and decoder.
    """

    def __init__(self, settings: dict[str, Any]):
        self.dtype, self.recompute = VARIANTS[settings["variant"]]
        self.device = pick_device(settings.get("device", "auto"))
        overrides = ["model=stm", "model.weights=none", "paths.output_dir=unused", "trainer.max_steps=1"]
        with initialize_config_module("vosmem.conf", version_base="1.3"):
            config = compose("train", overrides=[*overrides, *settings["overrides"]])
        self.network = instantiate(config.model).to(self.device).train()
        self.loss = instantiate(config.loss).to(self.device)
        if settings.get("compiled"):
            compile_for_training(self.network, self.device)
        fused = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-6, fused=fused)
        size = settings["size"]
        labels = torch.zeros(1, 3, size, size, dtype=torch.uint8)
        labels[..., : size // 3, :], labels[..., size // 2 :, :] = 1, 2
        frames = torch.randint(0, 256, (1, 3, 3, size, size), dtype=torch.uint8)
        self.clip = Clip(frames.to(self.device), labels.to(self.device), torch.tensor([NUM_OBJECTS]))

    def prepare(self, case: Case) -> None:
        """Nothing to prepare."""

    def frame(self) -> None:
        """Run a training step."""
        with in_precision(self.dtype, self.device):
            logits = unroll(self.network, self.clip, recompute=self.recompute).logits
            loss = self.loss(logits, self.clip.labels[:, 1:], 0)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        synchronize(self.device)

    def peak_mb(self) -> float | None:
        """None on a CPU, for the memory of the process."""
        return torch.cuda.max_memory_allocated(self.device) / 2**20 if self.device.type == "cuda" else None


def main() -> None:
    """Measure, profile, or run a worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options, overrides = parser.parse_known_args()
    settings = {"size": options.size, "overrides": overrides}
    if options.worker:
        serve(Step)
    elif options.profile:
        profile(Step({**settings, "variant": "fp32"}))
    else:
        compare(settings, options.repeats)


def compare(settings: dict[str, Any], repeats: int) -> None:
    """Run all variants in turn and print their figures."""
    command, case = [sys.executable, "-m", "benchmarks.training_step", "--worker"], Case(NUM_OBJECTS, 1, 0, 0)
    workers = {name: Worker(name, command, {**settings, "variant": name}) for name in VARIANTS}
    peaks = {name: worker.prepare(case) for name, worker in workers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(repeats):
        for name, worker in workers.items():
            seconds[name].append(worker.frame(case))
    base = seconds["fp32"]
    for name, own in seconds.items():
        ratio = statistics.median(plain / mine for plain, mine in zip(base, own, strict=True))
        rate = 1 / statistics.median(own)
        print(f"{name:<16} {rate:6.3f} clips/s  {ratio:5.2f} x  peak {peaks[name]:6.0f} MB")


def profile(step: Step) -> None:
    """The operations that take the most time in the second step."""
    step.frame()
    with torch.profiler.profile() as profiler:
        step.frame()
    print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=45))


if __name__ == "__main__":
    main()
