"""Write a network as ONNX graphs, and a JSON file that describes how to run them."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from vosmem.errors import InputError
from vosmem.export.graphs import Graph, graphs_of
from vosmem.files import replacing, write_text
from vosmem.networks.backbone import IMAGENET_MEAN, IMAGENET_STD
from vosmem.networks.folding import fold_batch_norms
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.aggregation import EPSILON
from vosmem.ops.padding import STRIDE

DESCRIPTION = "network.json"
FORMAT = 1
OPSET = 18
NEEDED = ("onnx", "onnxscript")


def export_onnx(network: MemoryNetwork, folder: Path, about: Mapping[str, Any]) -> list[Path]:
    """Write `encode_query.onnx`, `encode_memory.onnx`, `read_memory.onnx`, `decode.onnx` and `network.json`.

    The network is on the CPU. Height, width and the numbers of objects and memory frames are free; the batch is one
    frame. Soft aggregation, padding to the stride and the choice of memory frames are left to the caller. Each file is
    written whole or not at all, the JSON file last; `about` is further content of it. Returns the files.

    Raises:
        InputError: onnx or onnxscript is not installed, or the folder cannot be written to.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"export needs {' and '.join(missing)}: pip install 'vosmem[export]'")
    graphs = graphs_of(fold_batch_norms(network))
    described: dict[str, Any] = {}
    try:
        for name, graph in graphs.items():
            described[name] = {"file": f"{name}.onnx", **_write(graph, folder / f"{name}.onnx")}
        text = json.dumps({**_description(network), **about, "graphs": described}, indent=1) + "\n"
        write_text(folder / DESCRIPTION, text)
    except OSError as error:
        raise InputError(f"{str(folder)!r} cannot be written to ({error.strerror}): name another folder") from error
    return [*(folder / part["file"] for part in described.values()), folder / DESCRIPTION]


def _description(network: MemoryNetwork) -> dict[str, Any]:
    conventions, border = network.conventions, network.border
    return {
        "format": FORMAT,
        "vosmem": version("vosmem"),
        "stride": STRIDE,
        "frame": {
            "channels": "RGB",
            "range": [0, 1],
            "padding": "on all sides, the odd pixel right and below",
            "border": [0.0, 0.0, 0.0] if border is None else border.tolist(),
            "short_side": conventions.short_side,
            "enlarge_to": conventions.enlarge_to,
        },
        "memory": {
            "include_last": conventions.include_last,
            "border_masks": conventions.border_masks,
            "aggregate_given": conventions.aggregate_given,
        },
        "normalisation": {"where": "in the graphs", "mean": IMAGENET_MEAN, "std": IMAGENET_STD},
        "aggregation": {"where": "left to the caller", "epsilon": EPSILON},
    }


def _write(graph: Graph, path: Path) -> dict[str, Any]:
    """Write a graph; return its inputs with their sizes, and its outputs."""
    with _quiet(), torch.enable_grad():  # with gradients a network runs all objects at once, as a graph must
        program = torch.onnx.export(
            graph.module.eval(),
            kwargs=graph.arguments,
            dynamo=True,
            dynamic_shapes=graph.axes,
            input_names=list(graph.arguments),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    inputs = program.model.graph.inputs
    inputs[:] = [value for value in inputs if value.uses()]  # a graph may not use all parts of a query
    with replacing(path) as partial:
        program.save(str(partial))
    sizes = {
        value.name: [axis if isinstance(axis, int) else str(axis) for axis in value.shape or ()] for value in inputs
    }
    return {"inputs": sizes, "outputs": list(graph.outputs)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the log of the exporter's attempts; failures are raised."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
