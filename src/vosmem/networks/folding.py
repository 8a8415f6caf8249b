"""Networks made ready for inference alone."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.network import MemoryNetwork

Network = TypeVar("Network", bound=MemoryNetwork)


@torch.no_grad()
def fold_batch_norms(network: Network) -> Network:
    """A copy in which every batch norm is part of the convolution before it: the same function, to rounding.

    It can be run and no longer be trained or loaded into; the network given stays as it is.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for trunk in folded.trunks():
        _fold_stem(trunk)
        for layer in (trunk.layer1, trunk.layer2, trunk.layer3):
            for block in layer:
                _fold_block(block)
    return folded.to(memory_format=torch.channels_last)


@torch.no_grad()
def lower_convolutions(network: nn.Module, dtype: torch.dtype) -> None:
    """Keep the weights of convolutions in the dtype that autocast would bring them to anew at every call.

    The network then needs autocast. Norms, means and deviations stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(dtype)


def _fold_stem(trunk: ResNetTrunk) -> None:
    """The convolutions of image and masks are summed before the norm: all are scaled, one takes the shift."""
    scale, shift = _scale_and_shift(trunk.bn1)
    for place, conv in enumerate([trunk.conv1, *trunk.mask_convs]):
        _scale(conv, scale, shift if place == 0 else None)
    trunk.bn1 = nn.Identity()


def _fold_block(block: nn.Module) -> None:
    """Basic blocks and bottlenecks alike: conv1 and bn1, conv2 and bn2, ...; the way past them is a pair too."""
    for name, norm in list(block.named_children()):
        if isinstance(norm, nn.BatchNorm2d):
            _scale(getattr(block, name.replace("bn", "conv")), *_scale_and_shift(norm))
            setattr(block, name, nn.Identity())
    downsample = getattr(block, "downsample", None)
    if downsample is not None:
        _scale(downsample[0], *_scale_and_shift(downsample[1]))
        downsample[1] = nn.Identity()


def _scale(conv: nn.Conv2d, scale: Tensor, shift: Tensor | None) -> None:
    assert conv.bias is None  # a norm follows
    conv.weight.mul_(scale.view(-1, 1, 1, 1))
    if shift is not None:
        conv.bias = nn.Parameter(shift, requires_grad=False)


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale
