"""Initial weights that replace the random weights of a network."""

import torch

from vosmem.networks.backbone import Backbone
from vosmem.networks.bundled import FRAME_TRUNK, MASK_TRUNK, bundled_part, start_from_bundled
from vosmem.networks.decoder import Decoder
from vosmem.networks.heads import KeyValueHead

MASK_SHARE = 0.3  # weight of the value encoder in the mean of both encoders; see docs/explanation/results.md


@torch.no_grad()
def match_encoders(query: Backbone, memory: Backbone, query_head: KeyValueHead, memory_head: KeyValueHead) -> None:
    """Initialise the memory encoder and its head as copies of the query's, except for the mask convolutions.

    Equal image cells then have nearly equal keys from the first step, so the memory read finds correspondences before
    any training. The mask convolutions keep their random weights: with zeros the keys are exactly equal, but training
    connects the mask to the value more slowly (see docs/explanation/results.md).
    """
    state = query.pretrained_state()
    for name, value in memory.pretrained_state().items():
        value.copy_(state[name])
    memory_head.load_state_dict(query_head.state_dict())


@torch.no_grad()
def start_as_bundled(memory: Backbone, query_head: KeyValueHead, memory_head: KeyValueHead, decoder: Decoder) -> None:
    """Initialise an STM from the bundled REMN, where the shapes agree.

    REMN makes keys and values by two encoders, the memory encoder of an STM makes both. Both of REMN's encoders were
    trained from one start and stayed close to it, so their weighted mean keeps a part of each. The value convolution of
    the memory has no counterpart; `training.calibration.fit_memory_head` fits it.
    """
    frames, masks = bundled_part(FRAME_TRUNK), bundled_part(MASK_TRUNK)
    mean = {name: torch.lerp(frames[name], masks[name], MASK_SHARE) for name in frames}
    memory.load_state_dict(masks | mean, strict=False)
    for head in (query_head, memory_head):
        start_from_bundled(head.key, "key")
    start_from_bundled(query_head.value, "query_value")
    start_from_bundled(decoder, "decoder")
