"""Weights files of tiny networks, intact or tampered with."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from vosmem.checkpoints.published_stcn import PUBLISHED_MODEL
from vosmem.checkpoints.weights_file import METADATA_KEY, Weights, write_weights
from vosmem.networks import REMN, STM, Conventions, LocalAttention, MemoryNetwork

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}
MODELS = {
    "stm": {"_target_": "vosmem.networks.STM", "backbone": "resnet10", **WIDTHS},
    "remn": {"_target_": "vosmem.networks.REMN", "backbone": "resnet18", **WIDTHS, "value_weights": "none"},
}
NEAR = {"_target_": "vosmem.networks.LocalAttention", "strength": 0.5, "locality": 4.0, "radius": 1, "max_radius": 3}
CONVENTIONS = {**PUBLISHED_MODEL["conventions"], "top_k": 5}
MODELS["stcn"] = {**MODELS["remn"], "decoder": "stcn", "conventions": CONVENTIONS}
MODELS["remn_near"] = {**MODELS["remn"], "local_attention": NEAR}


def made_network(name: str = "stm") -> MemoryNetwork:
    """A tiny network of random weights."""
    torch.manual_seed(0)
    keywords = {key: value for key, value in MODELS[name].items() if key != "_target_"}
    for key, part in (("local_attention", LocalAttention), ("conventions", Conventions)):
        if key in keywords:
            keywords[key] = part(**{name: value for name, value in keywords[key].items() if name != "_target_"})
    network = (STM if name == "stm" else REMN)(**keywords).eval()
    if name == "remn_near":  # whose filters start as nothing
        nn.init.normal_(network.modulation.gain.weight)
    return network


def write_tiny(path: Path, name: str = "stm", dtype: str = "fp16") -> Path:
    """Write the weights file of a tiny network."""
    return write_weights(path, Weights(MODELS[name], made_network(name).state_dict()), dtype)


def write_run(folder: Path, name: str = "stm", with_config: bool = True) -> Path:
    """Write the folder of a run with its last checkpoint; its configuration may be only in the folder."""
    content: dict[str, Any] = {
        "state_dict": {f"network.{key}": value for key, value in made_network(name).state_dict().items()},
        "current_model_state": {"network.other": torch.zeros(1)},  # what a run with a running average keeps, too
    }
    config = {"model": {**MODELS[name], "weights": "imagenet"}}  # as in the run; no weights are fetched again
    path = folder / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    if with_config:
        content["config"] = config
    else:
        (folder / "config.yaml").write_text(json.dumps(config))
    torch.save(content, path)
    return path


def tamper(path: Path, *, message: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> Path:
    """Change metadata or tensors of a weights file (None removes a tensor), and keep all else."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()[METADATA_KEY])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    state = {name: value for name, value in {**state, **(tensors or {})}.items() if value is not None}
    path.write_bytes(save(state, {METADATA_KEY: json.dumps({**about, **(message or {})})}))
    return path


class Malice:
    """Unpickling this runs a command."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)
