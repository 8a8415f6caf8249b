"""`torch.compile` for the parts of a network that dominate inference time."""

import logging
from functools import partial

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
    try:  # torch has no other test that works in all its versions
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8, device=device))
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        LOGGER.warning("compile=true has no effect, the network runs uncompiled: %s", reason)
        return False
    # With freezing, weights become constants of the compiled code, in the layout that its convolutions prefer.
    compiled = partial(torch.compile, dynamic=False, options={"freezing": True})
    for module in network.modules():
        if isinstance(module, Backbone):
            module._body = compiled(module._body)  # type: ignore[method-assign]
        elif isinstance(module, ObjectDecoder):
            module._decode = compiled(module._decode)  # type: ignore[method-assign]
        elif isinstance(module, Skip | KeyValueHead):
            module.compile(dynamic=False, options={"freezing": True})
    return True
