"""What every command needs: instantiation, checkpoints, devices."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hydra import compose as compose_hydra
from hydra import initialize_config_module
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from vosmem.checkpoints import load_reference_stm, load_weights, read_checkpoint
from vosmem.errors import InputError
from vosmem.inference.engine import Engine
from vosmem.networks.network import MemoryNetwork


def compose(command: str, *overrides: str) -> DictConfig:
    """The configuration of a command as `vosmem COMMAND OVERRIDES` would compose it, for notebooks and scripts.

    Args:
        command: name of the primary config: `train`, `evaluate`, `gallery` or `render`.
        overrides: as on the command line. Values that belong to a run, such as `paths.output_dir`, have to be given where
            they are used.

    Example:
        >>> compose("train", "memory=every_n").memory.interval
        5
    """
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        return compose_hydra(command, overrides=list(overrides))


def make(config: DictConfig, **extra: Any) -> Any:
    """Instantiate a config; an InputError of the constructor comes out as itself."""
    try:
        return instantiate(config, **extra)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, InputError):
                raise cause from error
            cause = cause.__cause__
        raise


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, every interpolation replaced and no mandatory value missing."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def load_network(path: str | os.PathLike[str]) -> MemoryNetwork:
    """The network of a training run's checkpoint, or of the published STM weights.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    content = read_checkpoint(Path(path))
    if "config" not in content or "state_dict" not in content:
        return load_reference_stm(content)
    network: MemoryNetwork = make(OmegaConf.create(without_weights(content["config"]["model"])))
    load_weights(network, _network_part(content["state_dict"]), f"checkpoint {str(path)!r}")
    return network


def read_network_state(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The network's state dict in a training run's checkpoint, or in the published STM weights.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    content = read_checkpoint(Path(path))
    if "state_dict" not in content:
        return load_reference_stm(content).state_dict()
    return _network_part(content["state_dict"])


def without_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model's configuration, with nothing to be fetched for trunks that are filled anyway."""
    return {key: "none" if key.endswith("weights") else value for key, value in model.items()}


def _network_part(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def pick_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU.

    Raises:
        InputError: the device is unknown or absent.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, here in present.items() if here)
    if not present.get(name):
        raise InputError(
            f"device {name!r} is not on this machine: use auto, {', '.join(k for k, here in present.items() if here)}"
        )
    return torch.device(name)


def make_engine(config: DictConfig) -> Engine:
    """How a command's network runs, by its keys `device`, `precision`, `compile`, `reading` and `local_attention`.

    Raises:
        InputError: the device is absent, or has no use for the precision.
    """
    chosen = config.get("local_attention")  # of the group, where one is chosen
    local_attention = None if chosen is None else make(chosen)
    return Engine(pick_device(config.device), config.precision, config.compile, make(config.reading), local_attention)
