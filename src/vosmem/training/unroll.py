"""The unroll of a network over a clip, with gradients; inference does the same over a video."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vosmem.networks.network import MemoryNetwork
from vosmem.ops.locality import cells
from vosmem.ops.masks import one_hot, rows_of, slots_in_use
from vosmem.shapes import Clip, Memory, Prior
from vosmem.training.perturbation import PriorPerturbation

Result = TypeVar("Result")


class Unrolled(NamedTuple):
    """The result of an unroll.

    Attributes:
        logits: logits of frames 1..T-1; K is the largest number of objects in the batch (at least 1), padded slots are
            -inf.
        carried: for each object and frame 1..T-1 the true masks of the memory frames, averaged over cells and read from
            the memory in place of the values: the prediction of matching only. In [0, 1].
        expected: the true masks of frames 1..T-1, averaged over cells: `carried` of a perfect match.
    """

    logits: Float[Tensor, "B T K1 H W"]
    carried: Float[Tensor, "O T h w"]
    expected: Float[Tensor, "O T h w"]


def unroll(
    network: MemoryNetwork,
    clip: Clip,
    detach_masks: bool = False,
    recompute: bool = False,
    perturb: PriorPerturbation | None = None,
) -> Unrolled:
    """Memorise frame 0 with its true masks, segment frame 1, memorise it with its soft estimate, segment frame 2, ...

    It does not use `Propagator`, which has no batches, no gradients and a bank that evicts.

    Args:
        clip: frames whose sides are multiples of 16.
        detach_masks: whether an estimate is memorised without its gradient.
        recompute: activation checkpointing: the backward pass recomputes the activations of encoders and decoder, which
            takes less memory and more time for equal gradients.
        perturb: perturbs the previous masks for local attention.

    Source:
        STM section 3.6: estimates are memorised as raw probabilities, not thresholded.
    """
    # Nothing inside draws random numbers, so no generator state has to be restored.
    run: Any = partial(checkpoint, use_reentrant=False, preserve_rng_state=False) if recompute else _call
    frames = clip.frames.float() / 255
    valid = valid_slots(clip)
    num_slots = valid.shape[1]
    truth = [one_hot(labels, num_slots) for labels in clip.labels.unbind(dim=1)]
    # A rough first mask precedes the true one of the same frame; matching is judged by true masks only.
    repeated = (frames[:, 0] == frames[:, 1]).flatten(1).all(dim=1)[:, None, None, None]
    judged = [torch.where(repeated, truth[1], truth[0]), *truth[1:]]
    carried_from = torch.stack([rows_of(cells(masks), valid) for masks in judged], dim=1)
    masks, memory, query, earlier = truth[0], None, None, None
    logits, carried = [], []
    for t in range(1, frames.shape[1]):
        entry = run(network.encode_memory, frames[:, t - 1], masks, valid, query)
        memory = entry if memory is None else _append(memory, entry)
        priors = [None if known is None else known.detach() for known in (masks, earlier)]
        if perturb is not None:  # both with the same draw, so that a shift does not look like motion
            priors = [None if known is None else perturb(known, clip, t) for known in priors]
        previous, before = (None if known is None else cells(known) for known in priors)
        assert previous is not None  # frame t - 1 always has masks
        prior = Prior(previous, valid, before)
        earlier = masks
        query = run(network.encode_query, frames[:, t], prior)
        logits.append(run(network.segment, query, memory, valid))
        values = carried_from[:, None, :t].to(torch.promote_types(carried_from.dtype, memory.key.dtype))
        carried.append(network.read(query, Memory(memory.key, values), valid).squeeze(1))
        masks = logits[-1].softmax(dim=1)[:, 1:]
        if detach_masks:
            masks = masks.detach()
    return Unrolled(torch.stack(logits, dim=1), torch.stack(carried, dim=1), carried_from[:, 1:])


def valid_slots(clip: Clip) -> Bool[Tensor, "B K"]:
    """Return which slots of a batch hold an object, on the CPU; K is the largest number of objects, at least 1.

    It waits for the device unless the numbers of objects are on the CPU, where `PretrainModule` leaves them.
    """
    num_objects = clip.num_objects.cpu()
    return slots_in_use(num_objects, max(1, int(num_objects.max())))


def _call(function: Callable[..., Result], *arguments: Any) -> Result:
    return function(*arguments)


def _append(memory: Memory, entry: Memory) -> Memory:
    return Memory(torch.cat([memory.key, entry.key], dim=2), torch.cat([memory.value, entry.value], dim=2))
