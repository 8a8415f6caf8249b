"""Weights that come with the package, under a name."""

from pathlib import Path

from vosmem.checkpoints.weights_file import SUFFIX
from vosmem.errors import InputError
from vosmem.networks.bundled import DEFAULT, FOLDER


def bundled_weights() -> dict[str, Path]:
    """The weights files that come with this version, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def default_weights() -> tuple[str, Path] | None:
    """Name and file of what is taken where no weights are named; None where none come with this version."""
    path = bundled_weights().get(DEFAULT)
    return None if path is None else (DEFAULT, path)


def named_weights(name: str) -> Path:
    """The weights file of a name.

    Raises:
        InputError: no weights of this name come with the package.
    """
    bundled = bundled_weights()
    if not bundled:
        raise InputError(f"no weights come with this version, so none are called {name!r}: give a checkpoint file")
    if name not in bundled:
        raise InputError(f"no weights called {name!r} come with this version: use {', '.join(bundled)}, or give a file")
    return bundled[name]
