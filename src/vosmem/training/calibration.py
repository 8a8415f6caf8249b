"""What a network takes from training data before its first step: statistics, a head, the scale of its keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, pack, slots_in_use
from vosmem.shapes import Clip

RIDGE = 0.1  # of the fit, as a share of the features' mean power


@dataclass(frozen=True)
class Calibration:
    """What is calibrated.

    Args:
        batches: training batches that are looked at; 0 for none.
        key_std: spread that the keys are scaled to, once their mean is taken off; None leaves the keys.
        teacher: a trained network that the memory's head of an STM is fitted to; None leaves the head.
    """

    batches: int
    key_std: float | None
    teacher: MemoryNetwork | None = None


def calibrate(network: MemoryNetwork, batches: Iterable[Clip], what: Calibration) -> None:
    """Calibrate a network in place on some training batches."""
    clips = list(batches)
    calibrate_batch_norm(network, clips)
    if what.teacher is not None:
        fit_memory_head(network, what.teacher, clips)
    if what.key_std is not None:
        calibrate_keys(network, clips, what.key_std)


@torch.no_grad()
def calibrate_batch_norm(network: MemoryNetwork, clips: Sequence[Clip]) -> None:
    """Set the batch norms' running statistics of randomly started trunks to the mean over some training batches.

    Without it a randomly started trunk would normalise with mean 0 and variance 1, which its features do not have. A
    trunk with trained weights keeps their statistics. Afterwards all statistics are held again.

    Args:
        network: the network; its statistics change, its parameters do not.
        clips: batches of clips; their first two frames are encoded, with the first one's masks.
    """
    norms = [norm for trunk in network.trunks() if trunk.starts_random for norm in trunk.batch_norms()]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for clip in clips:
        valid, masks = _masks(clip, 0)
        network.encode_memory(clip.frames[:, 0].float() / 255, masks, valid)
        network.encode_query(clip.frames[:, 1].float() / 255)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def calibrate_keys(network: MemoryNetwork, clips: Sequence[Clip], key_std: float) -> None:
    """Centre the query keys at zero and scale them; the memory's, where they are others, get the same shift and scale.

    Features behind a ReLU share a large mean, which a dot product takes for likeness, and a freshly drawn head makes
    keys so small that the softmax over the memory is nearly uniform: what is read then says nothing of where, and
    hardly any gradient reaches the keys.

    Args:
        network: the network; weights and biases of what makes its keys change.
        clips: batches of clips; their second frames are encoded.
        key_std: standard deviation over cells and channels that the keys get.
    """
    keys = torch.cat([network.encode_query(clip.frames[:, 1].float() / 255).key.flatten(2) for clip in clips])
    mean = keys.mean(dim=(0, 2))
    scale = key_std / (keys - mean.view(1, -1, 1)).std()
    for conv in network.key_convs():  # so that each becomes (key - mean) * scale
        assert conv.bias is not None
        conv.weight.mul_(scale)
        conv.bias.sub_(mean).mul_(scale)


@torch.no_grad()
def fit_memory_head(network: MemoryNetwork, teacher: MemoryNetwork, clips: Sequence[Clip]) -> None:
    """Fit the head of an STM's memory by ridge regression, so that query and decoder can read it from the first step.

    The key is fitted to the network's own query key of the same cell, and the value to the value that a trained network
    remembers, which the decoder was trained with.

    Args:
        network: the STM; the weights of its memory's head change.
        teacher: the trained network, with values of the same width.
        clips: batches of clips, all frames of which are encoded with their true masks.

    Raises:
        InputError: the network is not an STM, or the teacher's values are not as wide as its.
    """
    if not isinstance(network, STM):
        raise InputError("calibration.teacher fits the memory's head of an STM: set it to null for other networks")
    head = network.memory_head
    gram = moment = torch.zeros(())
    for clip in clips:
        for t in range(clip.frames.shape[1]):
            frames, (valid, masks) = clip.frames[:, t].float() / 255, _masks(clip, t)
            own, rest, owners = pack(masks, valid)
            features = network.memory_encoder.of_objects(frames, own, rest, owners=owners)
            value = teacher.encode_memory(frames, masks, valid).value.squeeze(2)
            if value.shape[1] != head.value.out_channels:
                raise InputError(
                    f"calibration.teacher has values of {value.shape[1]} channels, the network of "
                    f"{head.value.out_channels}: set model.value_channels={value.shape[1]}"
                )
            rows = F.pad(_cells(F.unfold(features, head.key.kernel_size, padding=1)), (0, 1), value=1.0)
            key = network.encode_query(frames).key[owners]
            targets = _cells(torch.cat([key, value], dim=1).flatten(2))
            gram, moment = gram + rows.T @ rows, moment + rows.T @ targets
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    fitted = (
        torch.linalg.solve(gram + ridge, moment).to(head.key.weight).split([head.key.out_channels, value.shape[1]], 1)
    )
    for conv, columns in zip((head.key, head.value), fitted, strict=True):
        assert conv.bias is not None
        conv.weight.copy_(columns[:-1].T.unflatten(1, conv.weight.shape[1:]))
        conv.bias.copy_(columns[-1])


def _cells(x: Float[Tensor, "B C N"]) -> Float[Tensor, "BN C"]:
    return x.transpose(1, 2).flatten(0, 1).double()


def _masks(clip: Clip, t: int) -> tuple[Bool[Tensor, "B K"], Float[Tensor, "B K H W"]]:
    """The slots of a batch that are in use, and the masks of a frame."""
    num_slots = max(1, int(clip.num_objects.max()))
    return slots_in_use(clip.num_objects, num_slots), one_hot(clip.labels[:, t], num_slots)
