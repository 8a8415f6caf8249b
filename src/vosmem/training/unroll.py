"""A network run over a clip as it is run over a video, with gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, slots_in_use
from vosmem.shapes import Clip, Memory


def unroll(network: STM, clip: Clip) -> Float[Tensor, "B T-1 K1 H W"]:
    """Memorise frame 0 with its true masks, segment frame 1, memorise it with its soft estimate, segment frame 2, ...

    Args:
        network: the network.
        clip: frames whose sides are multiples of 16.

    Returns:
        logits of frames 1..T-1; K is the largest number of objects in the batch (at least 1), padded slots are -inf.

    Source:
        STM section 3.6: estimates are memorised as raw probabilities, not thresholded.
    """
    frames = clip.frames.float() / 255
    num_slots = max(1, int(clip.num_objects.max()))
    valid = slots_in_use(clip.num_objects, num_slots)
    masks = one_hot(clip.labels[:, 0], num_slots)
    memory: Memory | None = None
    logits = []
    for t in range(1, frames.shape[1]):
        entry = network.encode_memory(frames[:, t - 1], masks, valid)
        memory = entry if memory is None else _append(memory, entry)
        logits.append(network.segment(network.encode_query(frames[:, t]), memory, valid))
        masks = logits[-1].softmax(dim=1)[:, 1:]
    return torch.stack(logits, dim=1)


def _append(memory: Memory, entry: Memory) -> Memory:
    return Memory(torch.cat([memory.key, entry.key], dim=2), torch.cat([memory.value, entry.value], dim=2))
