"""A network run over a clip as it is run over a video, with gradients."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.networks.network import MemoryNetwork
from vosmem.ops.masks import one_hot, slots_in_use
from vosmem.ops.padding import STRIDE
from vosmem.shapes import Clip, Memory


class Unrolled(NamedTuple):
    """What a clip's unroll gives.

    Attributes:
        logits: of frames 1..T-1; K is the largest number of objects in the batch (at least 1), padded slots are -inf.
        carried: for each object and frame 1..T-1 the true masks of the remembered frames, averaged over cells and read
            from the memory in place of the values: what matching alone would say. In [0, 1].
        expected: the true masks of those frames, averaged over cells: what a perfect match would carry.
    """

    logits: Float[Tensor, "B T K1 H W"]
    carried: Float[Tensor, "O T h w"]
    expected: Float[Tensor, "O T h w"]


def unroll(network: MemoryNetwork, clip: Clip, detach_masks: bool = False) -> Unrolled:
    """Memorise frame 0 with its true masks, segment frame 1, memorise it with its soft estimate, segment frame 2, ...

    Args:
        network: the network.
        clip: frames whose sides are multiples of 16.
        detach_masks: whether an estimate is memorised without its gradient.

    Source:
        STM section 3.6: estimates are memorised as raw probabilities, not thresholded.
    """
    frames = clip.frames.float() / 255
    num_slots = max(1, int(clip.num_objects.max()))
    valid = slots_in_use(clip.num_objects, num_slots)
    truth = [one_hot(labels, num_slots) for labels in clip.labels.unbind(dim=1)]
    cells = torch.stack([F.avg_pool2d(masks, STRIDE)[valid] for masks in truth], dim=1)
    masks, memory, query = truth[0], None, None
    logits, carried = [], []
    for t in range(1, frames.shape[1]):
        entry = network.encode_memory(frames[:, t - 1], masks, valid, query)
        memory = entry if memory is None else _append(memory, entry)
        query = network.encode_query(frames[:, t])
        logits.append(network.segment(query, memory, valid))
        carried.append(network.read(query, Memory(memory.key, cells[:, None, :t]), valid).squeeze(1))
        masks = logits[-1].softmax(dim=1)[:, 1:]
        if detach_masks:
            masks = masks.detach()
    return Unrolled(torch.stack(logits, dim=1), torch.stack(carried, dim=1), cells[:, 1:])


def _append(memory: Memory, entry: Memory) -> Memory:
    return Memory(torch.cat([memory.key, entry.key], dim=2), torch.cat([memory.value, entry.value], dim=2))
