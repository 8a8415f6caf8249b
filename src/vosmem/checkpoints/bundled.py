"""Weights that come with the package, by name."""

from pathlib import Path

from vosmem.checkpoints.weights_file import SUFFIX
from vosmem.errors import InputError
from vosmem.networks.bundled import DEFAULT, FOLDER


def bundled_weights() -> dict[str, Path]:
    """The weights files that come with this version, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def default_weights() -> tuple[str, Path] | None:
    """Name and file of the default weights; None if this version comes without them."""
    path = bundled_weights().get(DEFAULT)
    return None if path is None else (DEFAULT, path)


def named_weights(name: str) -> Path:
    """The weights file of a name.

    Raises:
        InputError: this version has no weights of this name.
    """
    bundled = bundled_weights()
    if not bundled:
        raise InputError(f"no weights come with this version, so {name!r} cannot be used: give a checkpoint file")
    if name not in bundled:
        raise InputError(f"no weights called {name!r} come with this version: use {', '.join(bundled)}, or give a file")
    return bundled[name]
