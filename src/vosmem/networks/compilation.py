"""`torch.compile` for the parts of a network that take the time at inference."""

import logging
from typing import Any

import torch
from torch import nn

from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.decoder import ObjectDecoder, Skip
from vosmem.networks.heads import KeyValueHead

LOGGER = logging.getLogger(__name__)
# Weights become constants of the compiled code, laid out once as the convolutions want them.
OPTIONS: dict[str, Any] = {"freezing": True}


def compile_parts(network: nn.Module, device: torch.device) -> bool:
    """Compile trunks, heads and decoder in place: the same function, to rounding.

    The first frame of every new size waits for its code (seconds to a minute); PyTorch keeps it on disk for later runs.
    The network can only be run afterwards.

    Args:
        network: folded, in eval mode, without gradients.
        device: where it runs.

    Returns:
        whether it was done. Where PyTorch cannot compile (no C++ compiler, no Triton), one line of the log says so, and
        the network stays as it is.
    """
    reason = _why_not(device)
    if reason is not None:
        LOGGER.warning("compile=true has no effect here, the network runs as it is: %s", reason)
        return False
    for module in network.modules():
        if isinstance(module, ResNetTrunk):
            module._after_stem = _compiled(module._after_stem)  # type: ignore[method-assign]
        elif isinstance(module, ObjectDecoder):
            module._decode = _compiled(module._decode)  # type: ignore[method-assign]
        elif isinstance(module, Skip | KeyValueHead):
            module.compile(dynamic=False, options=OPTIONS)
    return True


def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=False, options=OPTIONS)


def _why_not(device: torch.device) -> str | None:
    """Whatever a function of one line fails with; torch has no other way to ask that holds over its versions."""
    try:
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8, device=device))
    except Exception as error:
        return " ".join(str(error).split())[:200] or type(error).__name__
    return None
