"""`vosmem benchmark` from its configuration: the run, and the worker processes that it starts."""

import importlib.util
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from vosmem.benchmark.compare import Row, cases, compare
from vosmem.benchmark.engine import EngineFrame
from vosmem.benchmark.machine import describe
from vosmem.benchmark.report import write_report
from vosmem.benchmark.scene import made_frame
from vosmem.benchmark.turns import Case, Worker, serve
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.models import without_weights
from vosmem.commands.common import check_lists, make, pick_device, resolved
from vosmem.data.decoding.images import read_image
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.output.davis_folders import write_frame
from vosmem.inference.output.mask_writer import write_labels
from vosmem.networks import STM
from vosmem.networks.cost import frame_cost
from vosmem.networks.decoder import Decoder
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.resnet import CHANNELS

COMPILED = "+compile"
REFERENCE = "reference"
# What the `vosmem` command sets for its own processes; the reference runs as Python starts it.
OWN_ENVIRONMENT = ("THP_MEM_ALLOC_ENABLE",)


def benchmark(config: DictConfig, on_row: Callable[[Row], None]) -> dict[str, Path]:
    """Everything `vosmem benchmark` does.

    Args:
        config: the composed configuration.
        on_row: called with each figure.

    Returns:
        what lies where.

    Raises:
        InputError: a setting is of no use here, or an implementation's process ended.
    """
    check_lists(config, "engines", "num_objects", "num_frames", "sizes")
    for name in config.engines:
        _engine(config, name)  # says so at once if the device has no use for it
    if config.repeats < 1:
        raise InputError(f"repeats={config.repeats} is below 1: use 11 or so, for medians that hold on a busy machine")
    network = _network(config.model, config.checkpoint)
    with_reference, why = _has_reference(config, network)
    about = {**_about(config, network), REFERENCE: why}
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        if with_reference and config.checkpoint is None:
            config.checkpoint = str(Path(folder) / "weights.pth")
            subprocess.run([sys.executable, "-m", config.reference, "--write", config.checkpoint], check=True)
        for row in _rows(config, network, with_reference, Path(folder)):
            rows.append(row)
            on_row(row)
            # After every row, so that an interrupted run keeps the rows that it has.
            files = write_report(about, rows, Path(config.paths.output_dir))
    return files


def work() -> None:
    """Be one of the engine's processes, as `serve` tells."""

    def start(settings: dict[str, Any]) -> EngineFrame:
        config = OmegaConf.create(settings)
        assert isinstance(config, DictConfig)
        with redirect_stderr(io.StringIO()):  # whoever started this has loaded the file, and said whose it is
            network = _network(config.model, config.checkpoint)
        return EngineFrame(network, _engine(config, config.name))

    serve(start)


def _rows(config: DictConfig, network: MemoryNetwork, with_reference: bool, folder: Path) -> Iterator[Row]:
    settings = resolved(config)
    plain = {key: value for key, value in os.environ.items() if key not in OWN_ENVIRONMENT}
    reference = partial(Worker, REFERENCE, [sys.executable, "-m", config.reference], environment=plain)
    asked = {"checkpoint": config.checkpoint, "device": config.device}
    starts = {
        name: partial(
            Worker, name, [sys.executable, "-m", "vosmem.cli", "benchmark", "--worker"], {**settings, "name": name}
        )
        for name in config.engines
    }
    if with_reference:
        starts = {REFERENCE: partial(reference, {**asked, "precision": "fp32"}), **starts}
    exact: dict[Case, np.ndarray] = {}
    for case in cases(config.num_objects, config.num_frames, config.sizes):
        alike = case._replace(num_frames=1)  # one step reads one frame, whatever the memory
        if with_reference and alike not in exact:
            with reference({**asked, "precision": "fp64"}) as worker:
                exact[alike] = worker.step(alike, folder)
        cost = frame_cost(network, case.height, case.width, case.num_objects, case.num_frames)
        yield from compare(starts, case, cost, config.repeats, exact.get(alike))


def _has_reference(config: DictConfig, network: MemoryNetwork) -> tuple[bool, str]:
    """Whether the reference takes part, and in words why."""
    if config.reference is None:
        return False, "none asked for"
    sys.path.insert(0, os.getcwd())  # where it would be found by a process started with -m
    try:
        there = importlib.util.find_spec(config.reference) is not None
    except ModuleNotFoundError:
        there = False
    finally:
        sys.path.pop(0)
    if not there:
        return False, f"left out, {config.reference} is not here (it lies in the project's repository)"
    published = (
        isinstance(network, STM)
        and network.query_encoder.channels == CHANNELS["resnet50"]
        and isinstance(network.decoder, Decoder)
        and network.decoder.predict.in_channels == 256
    )
    if not published:
        return False, "left out, it is the published STM on ResNet-50 alone"
    return True, f"{config.reference}, in its own process with Python's default environment"


def _network(model: DictConfig, checkpoint: str | None) -> MemoryNetwork:
    if checkpoint is not None:
        return load_network(checkpoint).eval()
    network: MemoryNetwork = make(OmegaConf.create(without_weights(model)))
    return network.eval()


def _engine(config: DictConfig, name: str) -> Engine:
    device = pick_device(config.device)
    return Engine(device, name.removesuffix(COMPILED), name.endswith(COMPILED), make(config.memory_read))


def _about(config: DictConfig, network: MemoryNetwork) -> dict[str, Any]:
    height, width = config.sizes[0]
    reading, writing = _io_milliseconds(height, width)
    made_of = f"on {config.model.backbone}" if config.checkpoint is None else f"of {config.checkpoint}"
    return {
        "model": f"{type(network).__name__} {made_of}",
        **describe(pick_device(config.device)),
        "frames of each": config.repeats,
        "left out": f"reading a JPEG of {width}x{height} ({reading:.1f} ms) and writing its mask ({writing:.1f} ms)",
    }


def _io_milliseconds(height: int, width: int, repeats: int = 9) -> tuple[float, float]:
    """Median time to read a frame and to write a mask, of this size."""
    image, labels = made_frame(0, 2, height, width)
    with TemporaryDirectory() as folder:
        frame, mask = Path(folder) / "frame.jpg", Path(folder) / "mask.png"
        write_frame(frame, (255 * image[0]).byte())
        reads = [_milliseconds(partial(read_image, frame)) for _ in range(repeats)]
        writes = [_milliseconds(partial(write_labels, mask, labels.numpy())) for _ in range(repeats)]
    return float(np.median(reads)), float(np.median(writes))


def _milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)
