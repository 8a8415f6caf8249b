"""Instantiation, devices and engines for all commands."""

from typing import Any

import torch
from hydra import compose as compose_hydra
from hydra import initialize_config_module
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine


def compose(command: str, *overrides: str) -> DictConfig:
    """Compose the configuration of `vosmem COMMAND OVERRIDES`, for notebooks and scripts.

    Args:
        command: name of the primary config: `train`, `evaluate`, `gallery` or `render`.
        overrides: as on the command line. Values of a run, such as `paths.output_dir`, have to be given if they are
            used.

    Example:
        >>> compose("train", "memory=every_n").memory.interval
        5
    """
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        return compose_hydra(command, overrides=list(overrides))


def make(config: DictConfig, **extra: Any) -> Any:
    """Instantiate a config; raise an InputError of the constructor unwrapped."""
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
    """The configuration as plain values, with all interpolations resolved and no mandatory value missing."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def check_lists(config: DictConfig, *keys: str) -> None:
    """Raise an InputError for a key that holds no list, or an empty one."""
    for key in keys:
        if not isinstance(config[key], ListConfig):
            raise InputError(f"{key}={config[key]} is not a list: use brackets, as in {key}=[{config[key]}]")
        if not config[key]:
            raise InputError(f"{key} is empty: name at least one")


def pick_device(name: str) -> torch.device:
    """The device of a name, or an InputError if it is absent; `auto` prefers CUDA, then MPS, then the CPU."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, here in present.items() if here)
    if not present.get(name):
        raise InputError(
            f"device {name!r} is not on this machine: use auto, {', '.join(k for k, here in present.items() if here)}"
        )
    return torch.device(name)


def make_engine(config: DictConfig) -> Engine:
    """The engine of a command, from its keys `device`, `precision`, `compile`, `memory_read` and `local_attention`."""
    chosen = config.get("local_attention")
    local_attention = None if chosen is None else make(chosen)
    return Engine(
        pick_device(config.device), config.precision, config.compile, make(config.memory_read), local_attention
    )
