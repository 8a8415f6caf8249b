"""Streams in files: the memory of a stream is saved, and another process continues with it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vosmem.checkpoints.reading import read_checkpoint
from vosmem.checkpoints.weights_file import tensor_hash
from vosmem.errors import InputError
from vosmem.files import replacing
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.ensemble import Ensemble
from vosmem.inference.propagation.propagator import Propagator


def save_stream(path: Path, t: int, propagator: Propagator | Ensemble, engine: Engine) -> None:
    """Write a stream after frame t atomically; `OSError` if the file cannot be written."""
    content = {"settings": _settings(propagator, engine), "t": t, "propagator": propagator.state_dict()}
    with replacing(path) as partial, partial.open("wb") as file:
        torch.save(content, file)


def load_stream(path: Path, propagator: Propagator | Ensemble, engine: Engine) -> int:
    """Read a stream into a propagator, and return the index of its last frame.

    Raises:
        InputError: the file is missing, damaged or no stream, or its network or settings differ.
    """
    content = read_checkpoint(path)
    saved, own = content.get("settings"), _settings(propagator, engine)
    if not isinstance(saved, Mapping):
        raise InputError(f"{str(path)!r} is not a saved stream: give a file that Stream.save wrote")
    for name, value in own.items():
        if saved.get(name) != value:
            what = "other weights" if name == "weights" else f"{name} {saved.get(name)}, this stream has {value}"
            raise InputError(f"{str(path)!r} was saved with {what}: make the stream with equal arguments")
    propagator.load_state_dict(content["propagator"])
    return int(content["t"])


def _settings(propagator: Propagator | Ensemble, engine: Engine) -> dict[str, Any]:
    """What later frames depend on besides the state. The budget may differ, as the free memory of machines does."""
    members = propagator.members if isinstance(propagator, Ensemble) else [propagator]
    first = members[0]
    return {
        "weights": tensor_hash({name: part.detach().cpu() for name, part in first.network.state_dict().items()}),
        "memory policy": repr(replace(first.memory.policy, budget_mb=None)),
        "short side": first.short_side,
        "enlarge_to": first.views.enlarge_to,
        "zoom": repr(first.views.zoom),
        "flip": len(members) > 1,
        "precision": engine.precision,
        "top_k": first.network.memory_read.top_k,
    }
