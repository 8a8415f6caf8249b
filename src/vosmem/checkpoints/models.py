"""From the configuration that lies beside weights to the network that they belong to, and to no other object."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vosmem.checkpoints.reading import check_fit, load_weights
from vosmem.errors import InputError
from vosmem.networks.conventions import Conventions
from vosmem.networks.local_attention import LocalAttention
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.remn import REMN
from vosmem.networks.stm import STM

# A file may come from anyone: nothing else is ever made of what it asks for.
NETWORKS: dict[str, type[MemoryNetwork]] = {"vosmem.networks.STM": STM, "vosmem.networks.REMN": REMN}
PARTS: dict[str, type] = {
    "vosmem.networks.LocalAttention": LocalAttention,
    "vosmem.networks.Conventions": Conventions,
}


def without_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model's configuration, with nothing to be fetched for trunks that are filled anyway."""
    return {key: "none" if key.endswith("weights") else value for key, value in model.items()}


def filled_network(model: Any, state: Mapping[str, Tensor], what: str) -> MemoryNetwork:
    """The network of a model's configuration, filled with weights.

    Args:
        model: what the file says of its network; should be keywords of the constructor and `_target_`.
        state: its weights by name.
        what: how messages call the file.

    Raises:
        InputError: the configuration asks for something else than a network of this package or does not make one, or an
            entry of the weights is missing, left over or of another shape.
    """
    with torch.device("meta"):  # shapes alone, so that a forged configuration takes no memory
        check_fit(_made(model, what), state, what)
    network = _made(model, what)
    load_weights(network, state, what)
    return network.eval()


def _made(model: Any, what: str) -> MemoryNetwork:
    target = _target(model)
    if target not in NETWORKS:
        raise InputError(f"{what} asks for {target!r}, which is no network: it may ask for {' or '.join(NETWORKS)}")
    # How it started is of no matter once it is filled, and may be a way that this version no longer has.
    keywords = {key: value for key, value in without_weights(model).items() if key not in ("_target_", "init")}
    for key, value in keywords.items():
        if isinstance(value, Mapping) and _target(value) not in PARTS:
            raise InputError(f"{what} asks for {_target(value)!r} as its {key}: it may ask for {' or '.join(PARTS)}")
    try:
        parts = {key: _part(value) for key, value in keywords.items() if isinstance(value, Mapping)}
        return NETWORKS[target](**{**keywords, **parts})
    except InputError as error:
        raise InputError(f"{what} has a configuration that makes no network: {error}") from error
    except Exception as error:  # whatever a wrong number, type or keyword runs into
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} has a configuration that makes no {target}: {reason}") from error


def _target(config: Any) -> Any:
    target = config.get("_target_") if isinstance(config, Mapping) else None
    return target if isinstance(target, str) else None


def _part(config: Mapping[str, Any]) -> Any:
    return PARTS[config["_target_"]](**{key: value for key, value in config.items() if key != "_target_"})
