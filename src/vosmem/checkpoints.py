"""Checkpoint files: the published STM layout, and weights of this project's own runs."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vosmem.errors import InputError
from vosmem.networks.stm import STM

# Published module names and this project's, in the order in which they are tried; the rest of a name is the same.
_REFERENCE_NAMES = {
    "Encoder_M.conv1_m.": "memory_encoder.mask_convs.0.",
    "Encoder_M.conv1_o.": "memory_encoder.mask_convs.1.",
    "Encoder_M.res2.": "memory_encoder.layer1.",
    "Encoder_M.res3.": "memory_encoder.layer2.",
    "Encoder_M.res4.": "memory_encoder.layer3.",
    "Encoder_M.": "memory_encoder.",
    "Encoder_Q.res2.": "query_encoder.layer1.",
    "Encoder_Q.res3.": "query_encoder.layer2.",
    "Encoder_Q.res4.": "query_encoder.layer3.",
    "Encoder_Q.": "query_encoder.",
    "KV_M_r4.Key.": "memory_head.key.",
    "KV_M_r4.Value.": "memory_head.value.",
    "KV_Q_r4.Key.": "query_head.key.",
    "KV_Q_r4.Value.": "query_head.value.",
    "Decoder.convFM.": "decoder.fuse.",
    "Decoder.ResMM.": "decoder.fuse_block.",
    "Decoder.RF3.convFS.": "decoder.skip8.conv.",
    "Decoder.RF3.ResFS.": "decoder.skip8.block.",
    "Decoder.RF3.ResMM.": "decoder.block8.",
    "Decoder.RF2.convFS.": "decoder.skip4.conv.",
    "Decoder.RF2.ResFS.": "decoder.skip4.block.",
    "Decoder.RF2.ResMM.": "decoder.block4.",
    "Decoder.pred2.": "decoder.predict.",
}


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        InputError: the file is missing.
    """
    if not path.is_file():
        raise InputError(f"checkpoint {str(path)!r} not found: pass the path of a .ckpt or .pth file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint without ever running code that it may hold.

    Args:
        path: a file that `torch.save` wrote.

    Returns:
        what the file holds, on the CPU.

    Raises:
        InputError: the file is missing, damaged, holds other things than tensors and plain values, or no dict.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {str(path)!r} not found: pass the path of a .ckpt or .pth file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files; all mean the same to the user
        raise InputError(f"checkpoint {str(path)!r} is damaged or holds more than tensors and plain values") from error
    if not isinstance(content, dict):
        raise InputError(f"checkpoint {str(path)!r} holds a {type(content).__name__}, not a checkpoint")
    return content


def load_reference_stm(source: str | Path | Mapping[str, Tensor]) -> STM:
    """Load weights in the layout of the published `STM_weights.pth` (ResNet-50, 558 entries).

    Args:
        source: path of the file, or its state dict; names with or without the prefix `module.`;
            `num_batches_tracked` may be absent.

    Returns:
        the network in eval mode.

    Raises:
        InputError: the file cannot be read, or an entry is missing, left over or of another shape.

    Source:
        the names and shapes of the published file. It is licensed CC BY-NC-SA by its authors.
    """
    state = read_checkpoint(source) if isinstance(source, (str, Path)) else source
    network = STM(backbone="resnet50", key_channels=128, value_channels=512, decoder_channels=256, weights="none")
    load_weights(network, {_own_name(name): tensor for name, tensor in state.items()}, "the reference checkpoint")
    return network.eval()


def load_weights(
    network: torch.nn.Module, state: Mapping[str, Tensor], what: str, additions: Sequence[str] = ()
) -> None:
    """Fill a network, with nothing missing and nothing left over (`num_batches_tracked` aside).

    Args:
        network: the network to fill.
        state: its weights by name.
        what: how messages call the weights.
        additions: parts of the network that stay as they are where `state` has nothing of them.

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
    network.load_state_dict(dict(state), strict=False)


def _own_name(name: str) -> str:
    name = name.removeprefix("module.")
    for reference, own in _REFERENCE_NAMES.items():
        if name.startswith(reference):
            return own + name[len(reference) :]
    return name
