"""Build the network that a weights file describes, and no other object."""

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

# A file may come from anyone, so only these classes are ever built.
NETWORKS: dict[str, type[MemoryNetwork]] = {"vosmem.networks.STM": STM, "vosmem.networks.REMN": REMN}
PARTS: dict[str, type] = {
    "vosmem.networks.LocalAttention": LocalAttention,
    "vosmem.networks.Conventions": Conventions,
}


def without_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model's configuration without pretrained trunks, whose weights would be replaced anyway."""
    return {key: "none" if key.endswith("weights") else value for key, value in model.items()}


def filled_network(model: Any, state: Mapping[str, Tensor], what: str) -> MemoryNetwork:
    """Build the network of a model's configuration and fill it with weights.

    The configuration is what the file holds and should be keywords of the constructor and `_target_`; `what` names the
    file in messages.

    Raises:
        InputError: the configuration does not describe a network of this package, or an entry of the weights is
            missing, left over or of another shape.
    """
    with torch.device("meta"):  # only shapes, so that a forged configuration takes no memory
        check_fit(_build(model, what), state, what)
    network = _build(model, what)
    load_weights(network, state, what)
    return network.eval()


def _build(model: Any, what: str) -> MemoryNetwork:
    target = _target(model)
    if target not in NETWORKS:
        raise InputError(f"{what} asks for {target!r}, which is no network: it may ask for {' or '.join(NETWORKS)}")
    # `init` does not matter once weights are loaded, and may have a value that this version no longer knows.
    keywords = {key: value for key, value in without_weights(model).items() if key not in ("_target_", "init")}
    for key, value in keywords.items():
        if isinstance(value, Mapping) and _target(value) not in PARTS:
            raise InputError(f"{what} asks for {_target(value)!r} as its {key}: it may ask for {' or '.join(PARTS)}")
    try:
        parts = {
            key: PARTS[value["_target_"]](**{name: own for name, own in value.items() if name != "_target_"})
            for key, value in keywords.items()
            if isinstance(value, Mapping)
        }
        return NETWORKS[target](**{**keywords, **parts})
    except InputError as error:
        raise InputError(f"{what} has a configuration that makes no network: {error}") from error
    except Exception as error:  # wrong numbers, types and keywords raise many types of error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} has a configuration that makes no {target}: {reason}") from error


def _target(config: Any) -> Any:
    target = config.get("_target_") if isinstance(config, Mapping) else None
    return target if isinstance(target, str) else None
