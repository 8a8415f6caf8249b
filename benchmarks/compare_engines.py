"""Compare engines with each other and with the plain STM, in turns.

    python -m benchmarks.compare_engines OUT [--repeats 5] [--no-reference] [KEY=VALUE ...]    (of `vosmem benchmark`)

Each engine has a process of its own, and the processes take turns, so that a busy machine slows all of them alike.
With a ResNet-50 STM the plain network of `benchmarks/plain_stm.py` takes part; without a checkpoint both have random
weights in the published layout. OUT gets `benchmark.json`, `benchmark.md` and `benchmark.png`.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.comparison import CaseResult, compare
from benchmarks.growth import growth
from benchmarks.turns import Worker, serve
from omegaconf import DictConfig, OmegaConf

from vosmem.benchmark.cases import Case, cases
from vosmem.benchmark.frame import EngineFrame
from vosmem.benchmark.machine import convolution_rate, peak_mb, reset_peak, seconds_of, synchronize
from vosmem.cli.environment import prepare
from vosmem.commands.benchmark import about_benchmark, benchmarked_engine, benchmarked_network
from vosmem.commands.common import compose
from vosmem.evaluation.tables import as_markdown
from vosmem.networks import STM
from vosmem.networks.cost import frame_cost
from vosmem.networks.decoder import Decoder
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.resnet import CHANNELS
from vosmem.visualization.benchmark import plot_benchmark

REFERENCE = "reference"
REFERENCE_COMMAND = [sys.executable, "-m", "benchmarks.reference"]
WORKER_COMMAND = [sys.executable, "-m", "benchmarks.compare_engines", "--worker"]
# Set by the `vosmem` command for its own processes; the plain network runs as Python starts it.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
PARTS = ("encode", "read", "decode", "memorize")


class EngineImplementation:
    """The engine as an implementation that takes turns.

    Args:
        settings: the resolved configuration of `vosmem benchmark`, and `engine`, such as `bf16+compile`.
    """

    def __init__(self, settings: dict[str, Any]):
        prepare(keep_freed=True)
        config = OmegaConf.create(settings)
        assert isinstance(config, DictConfig)
        self.engine = benchmarked_engine(config, config.engine)
        with redirect_stderr(io.StringIO()):  # the parent process has printed the licence
            self.network = self.engine.ready(benchmarked_network(config))
        self.loaded_mb = reset_peak(self.engine.device)

    def prepare(self, case: Case) -> None:
        """Fill the memory."""
        self.current = EngineFrame(self.network, self.engine, case)

    def frame(self) -> None:
        """Memorise and segment."""
        self.current.frame()
        synchronize(self.engine.device)

    def parts(self) -> dict[str, float]:
        """Seconds of memorize, encode, read and decode."""
        return {part: statistics.median(seconds_of(run, 0)) for part, run in self.current.parts.items()}

    def step(self, case: Case) -> np.ndarray:
        """Segment the second frame from the first."""
        return EngineFrame(self.network, self.engine, case._replace(num_frames=1)).frame().float().cpu().numpy()

    def rate(self) -> float:
        """GFLOP/s of a large convolution."""
        return convolution_rate(self.engine.device, self.engine.dtype)

    def peak_mb(self) -> float:
        """Beyond the memory after loading."""
        return peak_mb(self.engine.device) - self.loaded_mb


def main() -> None:
    """Compare, or be a worker."""
    if sys.argv[1:] == ["--worker"]:
        serve(EngineImplementation)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of vosmem benchmark")
    parser.add_argument("--repeats", type=int, default=5, help="frames of each implementation in each case")
    parser.add_argument("--no-reference", action="store_true", help="leave the plain network out")
    options = parser.parse_intermixed_args()
    config = compose("benchmark", f"paths.output_dir={options.out}", *options.overrides)
    del config.hydra  # needs a job of Hydra
    network = benchmarked_network(config)
    with_reference = not options.no_reference and is_published_stm(network)
    about = {**about_benchmark(config, network), "frames of each": options.repeats, REFERENCE: with_reference}
    results: list[CaseResult] = []
    with TemporaryDirectory() as folder:
        if with_reference and config.checkpoint is None:
            config.checkpoint = str(Path(folder) / "weights.pth")
            subprocess.run([*REFERENCE_COMMAND, "--write", config.checkpoint], check=True)
        for result in _results(config, network, options.repeats, with_reference, Path(folder)):
            results.append(result)
            files = write_comparison(about, results, options.out)  # an interrupted run keeps its results so far
            print(figures([result]).dropna(axis=1, how="all").to_string(index=False), flush=True)
    print(*files, sep="\n")


def _results(
    config: DictConfig, network: MemoryNetwork, repeats: int, with_reference: bool, folder: Path
) -> Iterator[CaseResult]:
    settings: Any = OmegaConf.to_container(config, resolve=True)
    starts = {
        name: partial(Worker, name, WORKER_COMMAND, {**settings, "engine": name}, {**os.environ, HUGE_PAGES: "1"})
        for name in config.engines
    }
    plain = {key: value for key, value in os.environ.items() if key != HUGE_PAGES}
    reference = partial(Worker, REFERENCE, REFERENCE_COMMAND, environment=plain)
    shared = {"checkpoint": config.checkpoint, "device": config.device}
    if with_reference:
        starts = {REFERENCE: partial(reference, {**shared, "precision": "fp32"}), **starts}
    exact: dict[Case, np.ndarray] = {}
    for case in cases(config.num_objects, config.num_frames, config.sizes):
        first_step = case._replace(num_frames=1)  # one step reads one frame, whatever the memory
        if with_reference and first_step not in exact:
            with reference({**shared, "precision": "fp64"}) as worker:
                exact[first_step] = worker.step(first_step, folder)
        cost = frame_cost(network, case.height, case.width, case.num_objects, case.num_frames)
        yield from compare(starts, case, cost, repeats, exact.get(first_step))


def is_published_stm(network: MemoryNetwork) -> bool:
    """Whether a network is the STM of the paper, which the plain network can be compared with."""
    return (
        isinstance(network, STM)
        and network.query_encoder.channels == CHANNELS["resnet50"]
        and isinstance(network.decoder, Decoder)
        and network.decoder.predict.in_channels == 256
    )


def write_comparison(about: Mapping[str, Any], results: Sequence[CaseResult], folder: Path) -> list[Path]:
    """Write the results as JSON, Markdown and a plot.

    Args:
        about: what the results depend on; has the key `model`.
        results: the results.
        folder: created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = _with_best_rate(results)
    slopes, table = growth(results), figures(results)
    files = [folder / f"benchmark.{kind}" for kind in ("json", "md", "png")]
    content = {"about": about, "rows": [r.as_dict() for r in results], "growth": [line._asdict() for line in slopes]}
    files[0].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    lines = "".join(f"* {name.replace('_', ' ')}: {value}\n" for name, value in about.items())
    text = f"# Benchmark of {about['model']}\n\n{lines}\n{as_markdown(table.dropna(axis=1, how='all'))}"
    if slopes:
        names = {"slope_ms": "ms for each", "work_ms": "ms of its work at the rate of a convolution"}
        text += f"\n## Growth\n\n{as_markdown(pd.DataFrame(slopes).rename(columns=names))}"
    files[1].write_text(text, encoding="utf-8")
    plot_benchmark(table, files[2])
    return files


def figures(results: Sequence[CaseResult]) -> pd.DataFrame:
    """One row for each implementation and case; milliseconds, and units of 2^20 bytes."""
    return pd.DataFrame([_figures(result) for result in results])


def _figures(result: CaseResult) -> dict[str, Any]:
    floor, case = result.floor_ms, result.case
    return {
        "implementation": result.implementation,
        "K": case.num_objects,
        "T": case.num_frames,
        "width": case.width,
        "height": case.height,
        "median ms": result.median_ms,
        "p95 ms": result.p95_ms,
        "frames/s": 1000 / result.median_ms,
        "times as fast": result.ratio,
        "floor ms": floor,
        "times the floor": None if floor is None else result.median_ms / floor,
        **{f"{part} ms": 1000 * result.parts[part] if part in result.parts else None for part in PARTS},
        "peak MB": result.peak_mb,
        "error": result.error,
        "flips": result.flips,
    }


def _with_best_rate(results: Sequence[CaseResult]) -> list[CaseResult]:
    """The results with the best rate of each implementation over its cases: the floor is what the machine can do."""
    best: dict[str, float] = {}
    for result in results:
        if result.rate is not None:
            best[result.implementation] = max(result.rate, best.get(result.implementation, 0.0))
    return [replace(result, rate=best.get(result.implementation)) for result in results]


if __name__ == "__main__":
    main()
