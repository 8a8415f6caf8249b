"""How a network starts, beyond what its layers draw by themselves."""

import torch

from vosmem.networks.backbone import ResNetTrunk
from vosmem.networks.bundled import FRAME_TRUNK, MASK_TRUNK, bundled_part, start_from_bundled
from vosmem.networks.decoder import Decoder
from vosmem.networks.heads import KeyValueHead

MASK_SHARE = 0.3  # of the trunk that reads masks in the mean of both trunks; see docs/explanation/results.md


@torch.no_grad()
def match_encoders(
    query: ResNetTrunk, memory: ResNetTrunk, query_head: KeyValueHead, memory_head: KeyValueHead
) -> None:
    """Start both trunks and both heads equal, the mask filters apart.

    From the first step equal image cells then have nearly equal keys, so the memory read finds correspondences before
    anything is learnt. The mask filters keep what they drew: filters at zero kept the keys exactly equal, but learnt
    the way from the mask to the value more slowly (see docs/explanation/results.md).
    """
    memory.load_state_dict(query.state_dict(), strict=False)
    memory_head.load_state_dict(query_head.state_dict())


@torch.no_grad()
def start_as_bundled(
    memory: ResNetTrunk, query_head: KeyValueHead, memory_head: KeyValueHead, decoder: Decoder
) -> None:
    """Start an STM's parts from those of the REMN that comes with the package, where the shapes agree.

    REMN makes keys by one trunk and values by another; the memory encoder of an STM makes both. Both trunks were
    trained from one start and stayed close to it, so a weighted mean of them keeps a part of each. The value
    convolution of the memory has no counterpart; `training.calibration.fit_memory_head` fits it.

    Args:
        memory: the trunk that reads masks; a ResNet-18, filled by `load_backbone_weights` as all its kind.
        query_head: takes REMN's key and its value of the query.
        memory_head: takes REMN's key.
        decoder: takes REMN's.
    """
    frames, masks = bundled_part(FRAME_TRUNK), bundled_part(MASK_TRUNK)
    mean = {name: torch.lerp(frames[name], masks[name], MASK_SHARE) for name in frames}
    memory.load_state_dict(masks | mean, strict=False)
    for head in (query_head, memory_head):
        start_from_bundled(head.key, "key")
    start_from_bundled(query_head.value, "query_value")
    start_from_bundled(decoder, "decoder")
