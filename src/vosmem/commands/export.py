"""`vosmem export`."""

import os
from pathlib import Path

from vosmem.checkpoints.loading import load_with_about
from vosmem.checkpoints.models import without_weights
from vosmem.export.onnx import export_onnx


def export(source: str | os.PathLike[str], folder: Path) -> list[Path]:
    """Write a network as ONNX graphs.

    Args:
        source: as of `load_network`.
        folder: as of `export_onnx`.

    Returns:
        the files.

    Raises:
        InputError: as of both.
    """
    network, weights = load_with_about(source)
    return export_onnx(network, folder, {"model": without_weights(weights.model), "licence": weights.licence})
