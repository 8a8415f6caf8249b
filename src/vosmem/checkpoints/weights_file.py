"""Weights files: the weights of a network, the configuration that builds it, and a hash, as safetensors.

Configuration and hash are JSON under one key of the file's metadata, so that equal weights give equal files.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vosmem.checkpoints.models import filled_network, without_weights
from vosmem.errors import InputError
from vosmem.files import replacing

METADATA_KEY = "vosmem"
FORMAT = 1
SUFFIX = ".safetensors"
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


class Weights(NamedTuple):
    """The weights of a network and its configuration."""

    model: Any  # keywords of the network's constructor, and its name as `_target_`
    state: dict[str, Tensor]  # float32 tensors by name, on the CPU
    licence: str | None = None  # a notice to pass on with the weights, or None


class About(NamedTuple):
    """The metadata of a weights file."""

    model: Any  # as of `Weights`; not yet checked
    sha256: str  # of the tensors' names, types, shapes and bytes
    vosmem: str  # version that wrote the file
    licence: str | None  # as of `Weights`


def is_weights_file(path: Path) -> bool:
    """Whether a file begins as safetensors do, with eight bytes of length and JSON; files of torch never do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def write_weights(path: Path, weights: Weights, dtype: str = "fp16") -> Path:
    """Write a weights file `NAME.safetensors` of `fp16` or `fp32`, whole or not at all; its folder is created.

    Entries `num_batches_tracked` are left out.

    Raises:
        InputError: the name has another suffix, the dtype is unknown or too narrow for a number, the weights do not fit
            their configuration, or the file cannot be written.
    """
    if path.suffix != SUFFIX:
        raise InputError(f"{str(path)!r} cannot name a weights file: end the name with {SUFFIX}")
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown: use {' or '.join(DTYPES)}")
    filled_network(weights.model, weights.state, "the weights")
    state = {
        name: _lowered(name, tensor, dtype)
        for name, tensor in weights.state.items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {
        "format": FORMAT,
        "licence": weights.licence,
        "model": without_weights(weights.model),
        "sha256": tensor_hash(state),
        "vosmem": version("vosmem"),
    }
    try:
        with replacing(path) as partial:
            partial.write_bytes(save(state, {METADATA_KEY: json.dumps(metadata)}))
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be written ({error.strerror}): free some space, or name another"
        ) from error
    return path


def read_about(path: Path) -> About:
    """Read the metadata of a weights file, without its tensors.

    Raises:
        InputError: the file is damaged, or not a weights file of a known format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights file {str(path)!r} is damaged or cut short: fetch or convert it again") from error
    if METADATA_KEY not in metadata:
        raise InputError(
            f"{str(path)!r} is a safetensors file of another program: make one with `vosmem convert` from a checkpoint"
        )
    try:
        content = json.loads(metadata[METADATA_KEY])
        licence = content.get("licence")
        about = About(
            content["model"],
            _printable(content["sha256"]),
            _printable(content["vosmem"]),
            None if licence is None else _printable(licence),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"weights file {str(path)!r} has incomplete metadata: convert it again") from error
    if content.get("format") != FORMAT:
        raise InputError(
            f"weights file {str(path)!r} has format {content.get('format')!r}, this version reads {FORMAT}: use vosmem "
            f"{about.vosmem!r}, which wrote it"
        )
    return about


def read_weights_file(path: Path) -> Weights:
    """Read a weights file and verify its hash.

    Raises:
        InputError: the file cannot be read, or its tensors do not have its hash.
    """
    about = read_about(path)
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    if tensor_hash(state) != about.sha256:
        raise InputError(f"weights file {str(path)!r} was changed: its tensors do not have its hash; fetch it again")
    for name, tensor in state.items():
        if tensor.dtype not in DTYPES.values():
            raise InputError(f"weights file {str(path)!r} holds {name!r} as {tensor.dtype}: convert it again")
    return Weights(about.model, {name: tensor.float() for name, tensor in state.items()}, about.licence)


def tensor_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names, as hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        header = [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        digest.update(json.dumps(header).encode() + b"\n")
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _printable(text: Any) -> str:
    """In one line, without control characters for a terminal."""
    return "".join(character if character.isprintable() else " " for character in str(text))


def _lowered(name: str, tensor: Tensor, dtype: str) -> Tensor:
    if not tensor.is_floating_point():
        raise InputError(f"{name!r} holds {tensor.dtype}: weights are floating")
    lowered = tensor.detach().to("cpu", DTYPES[dtype]).contiguous()
    if bool(torch.isfinite(tensor).all()) and not bool(torch.isfinite(lowered).all()):
        raise InputError(f"{name!r} holds numbers beyond {dtype}: use fp32")
    return lowered
