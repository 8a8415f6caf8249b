"""Networks prepared for inference only."""

import copy
from typing import TypeVar

import torch
from torch import nn

from vosmem.networks.network import MemoryNetwork

Network = TypeVar("Network", bound=MemoryNetwork)


@torch.no_grad()
def fold_batch_norms(network: Network) -> Network:
    """Return a copy with batch norms folded into convolutions: the same function, to rounding.

    The copy can neither be trained nor loaded into.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for trunk in folded.trunks():
        trunk.fold_batch_norms()
    return folded.requires_grad_(False).to(memory_format=torch.channels_last)


@torch.no_grad()
def lower_convolutions(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of convolutions to the dtype that autocast would convert them to in every call.

    The network then needs autocast. Norms, means and standard deviations stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(dtype)
