"""Batch-norm statistics for a network that starts from random weights."""

from collections.abc import Iterable

import torch

from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, slots_in_use
from vosmem.shapes import Clip


@torch.no_grad()
def calibrate_batch_norm(network: STM, batches: Iterable[Clip]) -> None:
    """Set the batch norms' running statistics to the mean over some training batches; then they are held again.

    Without it a randomly started trunk would normalise with mean 0 and variance 1, which its features do not have.

    Args:
        network: the network; its statistics change, its parameters do not.
        batches: training clips; their first two frames are encoded, with the first one's masks.
    """
    norms = [norm for trunk in network.trunks() for norm in trunk.batch_norms()]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for clip in batches:
        frames = clip.frames.float() / 255
        num_slots = max(1, int(clip.num_objects.max()))
        network.encode_memory(
            frames[:, 0], one_hot(clip.labels[:, 0], num_slots), slots_in_use(clip.num_objects, num_slots)
        )
        network.encode_query(frames[:, 1])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
