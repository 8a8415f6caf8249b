"""The one way from whatever names weights to a network."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from vosmem.checkpoints import published, published_stcn
from vosmem.checkpoints.bundled import bundled_weights, default_weights, named_weights
from vosmem.checkpoints.hub import SCHEME, fetch
from vosmem.checkpoints.models import filled_network
from vosmem.checkpoints.published_stcn import is_published_stcn
from vosmem.checkpoints.reading import check_tensors, read_checkpoint
from vosmem.checkpoints.weights_file import Weights, is_weights_file, read_weights_file, write_weights
from vosmem.errors import InputError
from vosmem.networks.network import MemoryNetwork


def find_weights(weights: str | os.PathLike[str] | None, model: str | None = None) -> Path:
    """The file to load.

    Args:
        weights: a file, the name of weights that come with the package (where a file has that name, the file), or an
            address on the Hub as of `fetch`.
        model: such a name, and nothing else.

    Raises:
        InputError: both are given, a name that no weights come under, or neither where none come with the package; or
            what the Hub has cannot be fetched.
    """
    if model is not None and weights is not None:
        raise InputError(f"weights {str(weights)!r} and model {model!r} are both given: give one of them")
    if model is not None:
        return named_weights(model)
    if weights is None:
        default = default_weights()
        if default is None:
            raise InputError("no weights are given and none come with this version: give a checkpoint file")
        return default[1]
    if str(weights).startswith(SCHEME):
        return fetch(str(weights))
    path = Path(weights)
    return path if path.is_file() else bundled_weights().get(str(weights), path)


def load_network(source: str | os.PathLike[str]) -> MemoryNetwork:
    """The network of a training run's checkpoint, a weights file, or the published STM or STCN weights, in eval mode.

    A licence that belongs to the weights is told on stderr.

    Args:
        source: as of `find_weights`.

    Raises:
        InputError: the file cannot be read, is none of these, or asks for something else than a network.
    """
    return load_with_about(source)[0]


def load_with_about(source: str | os.PathLike[str]) -> tuple[MemoryNetwork, Weights]:
    """As `load_network`, and what the network was made of.

    Raises:
        InputError: as of `load_network`.
    """
    return load_file(find_weights(source))


def load_file(path: Path) -> tuple[MemoryNetwork, Weights]:
    """As `load_with_about`, of a file that `find_weights` found.

    Raises:
        InputError: as of `load_network`.
    """
    weights = _read(path)
    network = filled_network(weights.model, weights.state, f"checkpoint {str(path)!r}")
    _tell_licence(weights)
    return network, weights


def convert(source: str | os.PathLike[str], output: Path, dtype: str = "fp16") -> Path:
    """Write the weights of any source as a weights file; a running average is taken where the run kept one.

    Args:
        source: as of `load_network`.
        output: the file to write.
        dtype: as of `write_weights`.

    Raises:
        InputError: the source cannot be read, is the output, or the output cannot be written.
    """
    path = find_weights(source)
    if output.exists() and path.exists() and output.samefile(path):
        raise InputError(f"{str(output)!r} is the source itself: name another file")
    weights = _read(path)
    write_weights(output, weights, dtype)
    _tell_licence(weights)
    return output


def _read(path: Path) -> Weights:
    """Whatever the file is."""
    if is_weights_file(path):
        return read_weights_file(path)
    content = read_checkpoint(path)
    if "state_dict" in content:
        return Weights(_model_of(path, content), _network_part(check_tensors(content["state_dict"], str(path))))
    state = check_tensors(content, str(path))
    if is_published_stcn(state):
        return Weights(published_stcn.PUBLISHED_MODEL, published_stcn.own_entries(state), published_stcn.LICENCE)
    return Weights(published.PUBLISHED_MODEL, published.own_names(state), published.LICENCE)


def _tell_licence(weights: Weights) -> None:
    if weights.licence is not None:
        print(f"vosmem: {weights.licence}", file=sys.stderr)


def _model_of(path: Path, content: Mapping[str, Any]) -> Any:
    """The model's configuration in a checkpoint, or in the folder of its run."""
    config, beside = content.get("config"), path.resolve().parent.parent / "config.yaml"
    if config is None and beside.is_file():
        try:
            config = yaml.safe_load(beside.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{str(beside)!r} is no YAML: take the one that the run wrote") from error
    if not isinstance(config, Mapping) or "model" not in config:
        raise InputError(f"checkpoint {str(path)!r} does not say its model: leave it in the folder of its run")
    return config["model"]


def _network_part(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
