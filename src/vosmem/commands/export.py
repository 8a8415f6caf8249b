"""`vosmem export`."""

import os
from pathlib import Path

from vosmem.checkpoints.loading import find_weights, load_file
from vosmem.checkpoints.models import without_weights
from vosmem.export.onnx import export_onnx


def export(source: str | os.PathLike[str], folder: Path) -> list[Path]:
    """Write a network as ONNX graphs; arguments, files and errors as of `load_network` and `export_onnx`."""
    network, weights = load_file(find_weights(source))
    return export_onnx(network, folder, {"model": without_weights(weights.model), "licence": weights.licence})
