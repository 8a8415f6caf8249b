"""Load a network from a file, a name or an address."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vosmem.checkpoints import published, published_stcn
from vosmem.checkpoints.bundled import bundled_weights, default_weights, named_weights
from vosmem.checkpoints.hub import SCHEME, fetch
from vosmem.checkpoints.models import filled_network
from vosmem.checkpoints.reading import check_tensors, read_checkpoint
from vosmem.checkpoints.weights_file import Weights, is_weights_file, read_weights_file, write_weights
from vosmem.errors import InputError
from vosmem.networks.network import MemoryNetwork


def find_weights(weights: str | os.PathLike[str] | None, model: str | None = None) -> Path:
    """Find the file to load; by default that of the default weights.

    Args:
        weights: a file, the name of weights that come with the package, or an address `hf://USER/REPO`. A local file
            takes precedence over bundled weights of the same name.
        model: the name of weights that come with the package.

    Raises:
        InputError: both are given, no weights have the name, no default weights come with the package, or the Hub does
            not have the file.
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
    """Load a network in eval mode; the licence of its weights, if any, is printed on stderr.

    Args:
        source: checkpoint of a training run, weights file, name or address as of `find_weights`, or the published STM
            or STCN weights.

    Raises:
        InputError: the file cannot be read, is none of these, or describes anything else than a network.
    """
    return load_file(find_weights(source))[0]


def load_file(path: Path) -> tuple[MemoryNetwork, Weights]:
    """Load the network of a file, with the weights and the configuration that it was built from.

    Raises:
        InputError: as of `load_network`.
    """
    weights = _read(path)
    network = filled_network(weights.model, weights.state, f"checkpoint {str(path)!r}")
    _print_licence(weights)
    return network, weights


def convert(source: str | os.PathLike[str], output: Path, dtype: str = "fp16", licence: str | None = None) -> Path:
    """Write the weights of any source as a weights file; a running average takes precedence where the run kept one.

    Args:
        source: as of `load_network`.
        output: the file to write.
        dtype: `fp16` or `fp32`.
        licence: a notice that is stored after that of the source and printed whenever the file is loaded.

    Raises:
        InputError: the source cannot be read, is the output, or the output cannot be written.
    """
    path = find_weights(source)
    if output.exists() and path.exists() and output.samefile(path):
        raise InputError(f"{str(output)!r} is the source itself: name another file")
    weights = _read(path)
    notices = [notice for notice in (weights.licence, licence) if notice]
    weights = weights._replace(licence="; ".join(notices) or None)
    write_weights(output, weights, dtype)
    _print_licence(weights)
    return output


def _read(path: Path) -> Weights:
    """Read a file of any supported kind."""
    if is_weights_file(path):
        return read_weights_file(path)
    content = read_checkpoint(path)
    if "state_dict" in content:
        prefix, state = "network.", check_tensors(content["state_dict"], str(path))
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        return Weights(_model_of(path, content), own)
    state = check_tensors(content, str(path))
    if published_stcn.is_published_stcn(state):
        return Weights(published_stcn.PUBLISHED_MODEL, published_stcn.own_entries(state), published_stcn.LICENCE)
    return Weights(published.PUBLISHED_MODEL, published.own_names(state), published.LICENCE)


def _print_licence(weights: Weights) -> None:
    if weights.licence is not None:
        print(f"vosmem: {weights.licence}", file=sys.stderr)


def _model_of(path: Path, content: Mapping[str, Any]) -> Any:
    """The model's configuration in a checkpoint, otherwise in the folder of its run."""
    config, run_config = content.get("config"), path.resolve().parent.parent / "config.yaml"
    if config is None and run_config.is_file():
        try:
            config = yaml.safe_load(run_config.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{str(run_config)!r} is not valid YAML: use the file that the run wrote") from error
    if not isinstance(config, Mapping) or "model" not in config:
        raise InputError(f"checkpoint {str(path)!r} does not say its model: leave it in the folder of its run")
    return config["model"]
