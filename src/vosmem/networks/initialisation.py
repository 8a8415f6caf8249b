"""How a network starts, beyond what its layers draw by themselves."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.decoder import Decoder
from vosmem.networks.heads import KeyValueHead

LANE_SHARE = 8  # one of so many channels belongs to the mask lane
RESIDUAL_SCALE = 0.1
LOGIT_SCALE = 2.0  # of each of the two channels; a cell that is wholly the object's starts at this logit


@torch.no_grad()
def match_encoders(
    query: ResNetTrunk, memory: ResNetTrunk, query_head: KeyValueHead, memory_head: KeyValueHead, decoder: Decoder
) -> None:
    """Start both trunks and both heads equal, the mask filters apart.

    From the first step equal image cells then have nearly equal keys, so the memory read finds correspondences before
    anything is learnt. The mask filters keep what they drew: filters at zero kept the keys exactly equal, but learnt
    the way from the mask to the value more slowly (see docs/results.md).
    """
    memory.load_state_dict(query.state_dict(), strict=False)
    memory_head.load_state_dict(query_head.state_dict())


@torch.no_grad()
def lay_mask_lane(
    query: ResNetTrunk, memory: ResNetTrunk, query_head: KeyValueHead, memory_head: KeyValueHead, decoder: Decoder
) -> None:
    """For trunks that start from random: matched encoders, and a lane of channels that leads the mask to the output.

    One channel in eight of the memory trunk sees only the masks, from the stem to stride 16, and the keys do not look
    at those channels. The first channel of the value is fitted to the mask from there when training calibrates the
    network, and the decoder hands it through. So the untrained network already says what matching says, and every
    gradient reaches the keys by a short way from the first step. Residual branches start small (after the
    zero-initialised residuals of Goyal et al., 2017), which leaves random features local enough to be found again under
    an affine map.
    """
    for trunk in (query, memory):
        _shrink_residuals(trunk)
    for block in _blocks(query):
        if block.downsample is not None:
            _separate(block.downsample[0].weight)
    match_encoders(query, memory, query_head, memory_head, decoder)
    stem = memory.conv1.weight
    lane = stem.shape[0] // LANE_SHARE
    stem[-lane:] = 0
    mask_filters = list(memory.mask_convs.parameters())
    for place, filters in enumerate(mask_filters):
        filters.zero_()
        for channel in range(place, lane, len(mask_filters)):
            filters[channel - lane] = _blob(filters[0], positive=(channel // 2) % 2 == 0)
    for head in (query_head, memory_head):
        head.key.weight[:, -head.key.weight.shape[1] // LANE_SHARE :] = 0
    _hand_through(decoder)


def _hand_through(decoder: Decoder) -> None:
    """Let the first channel of the read-out be the first channel of every stage, and the logit follow it."""
    _silence(decoder.fuse, 0)
    decoder.fuse.weight[0, 0, 1, 1] = 1
    for block in (decoder.fuse_block, decoder.skip8.block, decoder.block8, decoder.skip4.block, decoder.block4):
        _silence(block.conv2, 0)
    for skip in (decoder.skip8, decoder.skip4):
        _silence(skip.conv, 0)
    decoder.predict.weight *= 0.1  # what the other channels say is noise yet
    for channel, sign in enumerate((-1, 1)):  # background, object
        _silence(decoder.predict, channel, keep=slice(1, None), bias=-sign * LOGIT_SCALE / 2)
        decoder.predict.weight[channel, 0, 1, 1] = sign * LOGIT_SCALE


def _silence(conv: nn.Conv2d, channel: int, keep: slice = slice(0, 0), bias: float = 0.0) -> None:
    """Let an output channel see no input but those kept."""
    kept = conv.weight[channel, keep].clone()
    conv.weight[channel] = 0
    conv.weight[channel, keep] = kept
    assert conv.bias is not None
    conv.bias[channel] = bias


def _blob(like: Tensor, positive: bool) -> Tensor:
    """A mean filter with noise, so that channels differ; or its negative."""
    mean = torch.full_like(like, 1 / like.numel())
    return (mean if positive else -mean) + 0.5 * torch.randn_like(like) / like.numel()


def _separate(weight: Tensor) -> None:
    """Cut a 1x1 convolution into two: the lane's inputs reach the lane's outputs alone."""
    lane_out, lane_in = weight.shape[0] // LANE_SHARE, weight.shape[1] // LANE_SHARE
    weight[-lane_out:, :-lane_in] = 0
    weight[:-lane_out, -lane_in:] = 0


def _shrink_residuals(trunk: ResNetTrunk) -> None:
    """Scale the last batch norm of every residual block."""
    for block in _blocks(trunk):
        last = [module for module in block.children() if isinstance(module, nn.BatchNorm2d)][-1]
        nn.init.constant_(last.weight, RESIDUAL_SCALE)


def _blocks(trunk: ResNetTrunk) -> Iterator[Any]:
    """The residual blocks; their class differs by depth, and torchvision types them as plain modules."""
    for layer in (trunk.layer1, trunk.layer2, trunk.layer3):
        yield from layer
