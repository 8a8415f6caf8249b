"""`vosmem benchmark` from its configuration."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vosmem.benchmark.cases import Case, cases
from vosmem.benchmark.frame import synthetic_frame
from vosmem.benchmark.machine import describe, seconds_of
from vosmem.benchmark.report import time_engine, write_report
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.models import without_weights
from vosmem.commands.common import check_lists, make, pick_device
from vosmem.data.decoding.images import read_image
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.output.davis_folders import write_frame
from vosmem.inference.output.mask_writer import write_labels
from vosmem.networks.cost import FrameCost, frame_cost
from vosmem.networks.network import MemoryNetwork

COMPILED = "+compile"
IO_SECONDS = 0.5


def benchmark(config: DictConfig, on_row: Callable[[dict[str, Any]], None]) -> dict[str, Path]:
    """Time the engines one after the other in this process; write the figures after each case, and return the files.

    `on_row` is called with the figures of each case, as of `time_engine`.

    Raises:
        InputError: a list is empty, a number is too small, or an engine is unknown or slower than float32 here.
    """
    check_lists(config, "engines", "num_objects", "num_frames", "sizes")
    if config.min_seconds < 0:
        raise InputError(f"min_seconds={config.min_seconds} is below 0: use 5 or so, and more on a busy machine")
    engines = {name: benchmarked_engine(config, name) for name in config.engines}
    network = benchmarked_network(config)

    def cost(case: Case) -> FrameCost:
        return frame_cost(network, case.height, case.width, case.num_objects, case.num_frames)

    about, rows = about_benchmark(config, network), []
    todo = cases(config.num_objects, config.num_frames, config.sizes)
    for name, engine in engines.items():
        for row in time_engine(name, network, engine, todo, cost, config.min_seconds):
            rows.append(row)
            on_row(row)
            # After each case, so that an interrupted run keeps the figures so far.
            files = write_report(about, rows, Path(config.paths.output_dir))
    return files


def benchmarked_network(config: DictConfig) -> MemoryNetwork:
    """The network of `checkpoint`, or of `model` with random weights."""
    if config.checkpoint is not None:
        return load_network(config.checkpoint)
    network: MemoryNetwork = make(OmegaConf.create(without_weights(config.model)))
    return network.eval()


def benchmarked_engine(config: DictConfig, name: str) -> Engine:
    """The engine of a name such as `bf16` or `fp32+compile`."""
    device = pick_device(config.device)
    return Engine(device, name.removesuffix(COMPILED), name.endswith(COMPILED), make(config.memory_read))


def about_benchmark(config: DictConfig, network: MemoryNetwork) -> dict[str, Any]:
    """What the figures depend on, and the time of reading and writing, which they leave out."""
    height, width = config.sizes[0]
    image, labels = synthetic_frame(0, 2, height, width)
    with TemporaryDirectory() as folder:
        frame, mask = Path(folder) / "frame.jpg", Path(folder) / "mask.png"
        write_frame(frame, (255 * image[0]).byte())
        reading, writing = (
            1000 * median(seconds_of(run, IO_SECONDS))
            for run in (partial(read_image, frame), partial(write_labels, mask, labels.numpy()))
        )
    origin = f"on {config.model.backbone}" if config.checkpoint is None else f"of {config.checkpoint}"
    return {
        "model": f"{type(network).__name__} {origin}",
        **describe(pick_device(config.device)),
        "left out": f"reading a JPEG of {width}x{height} ({reading:.1f} ms) and writing its mask ({writing:.1f} ms)",
    }
