"""A network that is ready to segment, from a file or a name."""

import os
from pathlib import Path

from vosmem.build.common import load_network, pick_device
from vosmem.errors import InputError
from vosmem.inference.engine import Engine
from vosmem.inference.streaming import Segmenter
from vosmem.ops.attention import Reading


def find_weights(weights: str | os.PathLike[str] | None, model: str | None) -> Path:
    """The checkpoint to load: a file, or what comes with the package under a name.

    Raises:
        InputError: no file is given, or a name that no weights come under.
    """
    if model is not None:
        raise InputError(f"no weights come with this version, so none are called {model!r}: give a checkpoint file")
    if weights is None:
        raise InputError("no weights are given and none come with this version: give a checkpoint file")
    return Path(weights)


def load_segmenter(
    weights: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    top_k: int | None = None,
) -> Segmenter:
    """Load a network and make it ready.

    Args:
        weights: checkpoint of a training run, or the published STM weights.
        model: name of weights that come with the package.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `fp32`, `bf16` or `fp16`.
        top_k: as of `Reading`.

    Raises:
        InputError: there are no such weights, they cannot be read, or the device is absent or has no use for the
            precision.
    """
    engine = Engine(pick_device(device), precision, reading=Reading(top_k=top_k))
    return Segmenter(load_network(find_weights(weights, model)), engine)
