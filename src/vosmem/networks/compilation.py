"""`torch.compile` for the parts of a network that dominate the time of inference and training."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from vosmem.networks.backbone import Backbone
from vosmem.networks.decoder import ObjectDecoder, Skip
from vosmem.networks.heads import KeyValueHead

LOGGER = logging.getLogger(__name__)


def compile_parts(network: nn.Module, device: torch.device) -> bool:
    """Compile backbones, heads and decoder in place (the same function, to rounding), and return whether that worked.

    The first frame of each size waits for its compilation (seconds to a minute); PyTorch caches the result on disk. The
    network can be used for inference only afterwards. If PyTorch cannot compile (no C++ compiler, no Triton), one
    warning is logged and the network stays as it is.
    """
    if not _can_compile(device):
        return False
    # A GPU computes all objects at once: without a free number, PyTorch would give up after eight numbers and sizes.
    dynamic = None if device.type == "cuda" else False
    # With freezing, weights become constants of the compiled code, in the layout that its convolutions prefer.
    compiled = partial(torch.compile, dynamic=dynamic, options={"freezing": True})
    for module in network.modules():
        if isinstance(module, Backbone):
            module._body = compiled(module._body)  # type: ignore[method-assign]
        elif isinstance(module, ObjectDecoder):
            module._decode = compiled(module._decode)  # type: ignore[method-assign]
        elif isinstance(module, Skip | KeyValueHead):
            module.compile(dynamic=dynamic, options={"freezing": True})
    return True


def compile_for_training(network: nn.Module, device: torch.device) -> bool:
    """Compile backbones and decoder in place for training, and return whether that worked, as `compile_parts` does.

    The number of objects differs between batches: the second number compiles code for all. In evaluation mode the
    modules run uncompiled, since validation has frames of other sizes.
    """
    if not _can_compile(device):
        return False
    for module in network.modules():
        if isinstance(module, Backbone):
            module._body = _in_training(module, module._body)  # type: ignore[method-assign]
        elif isinstance(module, ObjectDecoder):
            module._decode = _in_training(module, module._decode)  # type: ignore[method-assign]
    return True


def _in_training(module: nn.Module, function: Callable[..., Any]) -> Callable[..., Any]:
    compiled = torch.compile(function)
    return lambda *arguments: (compiled if module.training else function)(*arguments)


def _can_compile(device: torch.device) -> bool:
    try:  # torch has no other test that works in all its versions
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8, device=device))
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        LOGGER.warning("compile=true has no effect, the network runs uncompiled: %s", reason)
        return False
    return True
