"""Read checkpoint files, and load their weights into a network."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vosmem.errors import InputError


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        InputError: the file is missing.
    """
    _check_there(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a file that `torch.save` wrote, on the CPU, without running code that it may hold.

    Raises:
        InputError: the file is missing or damaged, or holds anything else than a dict of tensors and plain values.
    """
    path = Path(path)
    _check_there(path)
    try:
        _check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types of error for damaged files
        raise InputError(f"checkpoint {str(path)!r} is damaged or holds more than tensors and plain values") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputError(f"checkpoint {str(path)!r} holds a {type(content).__name__}, not a checkpoint")
    return content


def check_tensors(content: Any, path: str) -> dict[str, Tensor]:
    """The content of a checkpoint as weights by name.

    Raises:
        InputError: the content is something else.
    """
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise InputError(f"checkpoint {path!r} holds no weights by name: give one of a training, or convert one")
    return dict(content)


def _check_sums(path: Path) -> None:
    """Verify the checksums, which torch writes and does not verify."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            harmed = archive.testzip()
        if harmed is not None:
            raise zipfile.BadZipFile(harmed)


def check_fit(network: torch.nn.Module, state: Mapping[str, Tensor], what: str, additions: Sequence[str] = ()) -> None:
    """Check that weights fit a network: nothing is missing or left over, except for `num_batches_tracked`.

    `what` names the weights in messages; `additions` are parts of the network that may be absent as a whole.

    Raises:
        InputError: an entry is missing, left over or of another shape; the message names the first and the count.
    """
    own = network.state_dict()
    absent = tuple(f"{part}." for part in additions if not any(name.startswith(f"{part}.") for name in state))
    own = {name: value for name, value in own.items() if not name.startswith(absent)}
    faults = [f"{name!r} is missing" for name in own if name not in state and not name.endswith("num_batches_tracked")]
    faults += [f"{name!r} is left over" for name in state if name not in own]
    faults += [
        f"{name!r} has shape {tuple(state[name].shape)}, the network {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise InputError(
            f"{what} does not fit the network: {faults[0]}{more}; check that model= is the one it was made with"
        )


def load_weights(
    network: torch.nn.Module, state: Mapping[str, Tensor], what: str, additions: Sequence[str] = ()
) -> None:
    """Load weights that fit; absent entries keep their values. Arguments and errors as of `check_fit`.

    Raises:
        InputError: the weights do not fit.
    """
    check_fit(network, state, what, additions)
    network.load_state_dict(dict(state), strict=False)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"checkpoint {str(path)!r} not found: give a file, or a name that `vosmem weights` lists")
