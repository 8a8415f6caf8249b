"""What a network takes from training data before its first step: batch-norm statistics, and the scale of its keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, slots_in_use
from vosmem.shapes import Clip


@dataclass(frozen=True)
class Calibration:
    """What is calibrated.

    Args:
        batches: training batches that are looked at; 0 for none.
        batch_norm: whether the batch norms' statistics are taken from them (for trunks that start from random).
        key_std: spread that the keys are scaled to, once their mean is taken off; None leaves the keys.
    """

    batches: int
    batch_norm: bool
    key_std: float | None


def calibrate(network: STM, batches: Iterable[Clip], what: Calibration) -> None:
    """Calibrate a network in place on some training batches."""
    clips = list(batches)
    if what.batch_norm:
        calibrate_batch_norm(network, clips)
    if what.key_std is not None:
        calibrate_keys(network, clips, what.key_std)


@torch.no_grad()
def calibrate_batch_norm(network: STM, clips: Sequence[Clip]) -> None:
    """Set the batch norms' running statistics to the mean over some training batches; then they are held again.

    Without it a randomly started trunk would normalise with mean 0 and variance 1, which its features do not have.

    Args:
        network: the network; its statistics change, its parameters do not.
        clips: batches of clips; their first two frames are encoded, with the first one's masks.
    """
    norms = [norm for trunk in network.trunks() for norm in trunk.batch_norms()]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for clip in clips:
        frames = clip.frames.float() / 255
        num_slots = max(1, int(clip.num_objects.max()))
        valid = slots_in_use(clip.num_objects, num_slots)
        network.encode_memory(frames[:, 0], one_hot(clip.labels[:, 0], num_slots), valid)
        network.encode_query(frames[:, 1])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def calibrate_keys(network: STM, clips: Sequence[Clip], key_std: float) -> None:
    """Centre the query keys at zero and scale them; the memory's head gets the same shift and scale.

    Features behind a ReLU share a large mean, which a dot product takes for likeness, and a freshly drawn head makes
    keys so small that the softmax over the memory is nearly uniform: what is read then says nothing of where, and
    hardly any gradient reaches the keys.

    Args:
        network: the network; the weights and biases of its key heads change.
        clips: batches of clips; their second frames are encoded.
        key_std: standard deviation over cells and channels that the keys get.
    """
    keys = torch.cat([network.encode_query(clip.frames[:, 1].float() / 255).key.flatten(2) for clip in clips])
    mean = keys.mean(dim=(0, 2))
    scale = key_std / (keys - mean.view(1, -1, 1)).std()
    for head in (network.query_head, network.memory_head):
        head.scale_key(mean, scale)
