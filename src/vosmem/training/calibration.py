"""What a network takes from training data before its first step: batch-norm statistics, and the scale of its keys."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from vosmem.errors import InputError
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, others, slots_in_use
from vosmem.ops.padding import STRIDE
from vosmem.shapes import Clip

RIDGE = 1e-3  # of the value's fit, as a share of the features' mean power
RIDGE_KEYS = 0.1  # of the keys' fit, as a share of the mean variance within objects
FILLED = 0.7  # share of a cell that an object covers where the cell counts as its own


@dataclass(frozen=True)
class Calibration:
    """What is calibrated.

    Args:
        batches: training batches that are looked at; 0 for none.
        key_std: spread that the keys are scaled to, once their mean is taken off; None leaves the keys.
        discriminant: whether the keys' filters are first fitted to tell objects apart.
        mask_value: whether the value's first channel is fitted to the mask (for networks that start with a mask lane).
    """

    batches: int
    key_std: float | None
    discriminant: bool = False
    mask_value: bool = False


def calibrate(network: MemoryNetwork, batches: Iterable[Clip], what: Calibration) -> None:
    """Calibrate a network in place on some training batches."""
    clips = list(batches)
    calibrate_batch_norm(network, clips)
    if what.discriminant:
        fit_keys(network, clips)
    if what.key_std is not None:
        calibrate_keys(network, clips, what.key_std)
    if what.mask_value:
        assert isinstance(network, STM)  # the only one that starts with a mask lane
        fit_mask_value(network, clips)


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
        valid, masks = _first_masks(clip)
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
def fit_keys(network: MemoryNetwork, clips: Sequence[Clip]) -> None:
    """Make the keys the discriminant directions of the features: alike within an object, apart within a picture.

    A linear discriminant analysis over the cells of training clips, each clip and each object about its own mean. All
    that a random trunk's features know of likeness is in the keys before the first step.

    Args:
        network: the network; the weights of what makes its keys change, and become one-cell filters. Features that
            they do not look at stay unseen.
        clips: batches of clips, all frames of which are encoded.

    Raises:
        InputError: no object of the clips fills two cells.
    """
    looked_at = network.key_convs()[0].weight.abs().sum(dim=(0, 2, 3)) > 0
    within, total = (torch.zeros(int(looked_at.sum()), int(looked_at.sum()), dtype=torch.float64) for _ in range(2))
    num_within = num_total = 0
    for features, owners in _cells_of_clips(network, clips):
        cells = features[:, looked_at].double()
        total += _scatter(cells)
        num_total += len(cells)
        for owner in owners.unique():
            own = cells[owners == owner]
            if owner and len(own) > 1:
                within += _scatter(own)
                num_within += len(own) - 1
    if not num_within:
        raise InputError("the keys cannot be fitted: no object fills two cells; raise calibration.batches")
    within /= num_within
    within += RIDGE_KEYS * within.diagonal().mean() * torch.eye(len(within), dtype=within.dtype)
    whiten = torch.linalg.inv(torch.linalg.cholesky(within))
    directions = whiten.T @ torch.linalg.eigh(whiten @ (total / num_total) @ whiten.T).eigenvectors
    for conv in network.key_convs():
        conv.weight.zero_()
        conv.weight[:, looked_at, 1, 1] = directions[:, -len(conv.weight) :].T.to(conv.weight)


def _cells_of_clips(
    network: MemoryNetwork, clips: Sequence[Clip]
) -> Iterator[tuple[Float[Tensor, "N C"], Integer[Tensor, "N"]]]:
    """For each clip the query features of all its cells, and the object that fills most of each; 0 where none does."""
    for clip in clips:
        for frames, labels in zip(clip.frames, clip.labels, strict=True):
            features, _, _ = network.trunks()[0](frames.float() / 255)
            shares = F.avg_pool2d(one_hot(labels, max(1, int(labels.max()))), STRIDE)
            share, owner = shares.max(dim=1)
            owners = torch.where(share > FILLED, owner + 1, torch.zeros_like(owner))
            yield features.permute(0, 2, 3, 1).flatten(0, 2), owners.flatten()


def _scatter(rows: Float[Tensor, "N C"]) -> Float[Tensor, "C C"]:
    centred = rows - rows.mean(dim=0)
    return centred.T @ centred


@torch.no_grad()
def fit_mask_value(network: STM, clips: Sequence[Clip]) -> None:
    """Fit the first channel of the memory's value to the mask, cell by cell, by ridge regression on the features.

    Args:
        network: the network; the first filter of its memory's value head changes.
        clips: batches of clips; their first frames are encoded with their masks.
    """
    head = network.memory_head.value
    size = head.kernel_size
    gram = torch.zeros(())
    moment = torch.zeros(())
    for clip in clips:
        features, masks = _encode_first_frame(network, clip)
        patches = F.unfold(features, size, padding=head.padding)  # type: ignore[arg-type]
        rows = F.pad(patches.transpose(1, 2).flatten(0, 1), (0, 1), value=1.0).double()
        cells = F.avg_pool2d(masks[:, None], STRIDE).flatten().double()
        gram, moment = gram + rows.T @ rows, moment + rows.T @ cells
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    fitted = torch.linalg.solve(gram + ridge, moment).to(head.weight)
    assert head.bias is not None
    head.weight[0], head.bias[0] = fitted[:-1].view_as(head.weight[0]), fitted[-1]


def _encode_first_frame(network: STM, clip: Clip) -> tuple[Float[Tensor, "O C h w"], Float[Tensor, "O H W"]]:
    """Memory features of a batch's first frames at stride 16, and the masks they were made with."""
    valid, masks = _first_masks(clip)
    frames, owners = clip.frames[:, 0].float() / 255, valid.nonzero()[:, 0]
    own, rest = masks[valid][:, None], others(masks)[valid][:, None]
    features = network.memory_encoder.of_objects(frames, own, rest, owners=owners)
    return features, masks[valid]


def _first_masks(clip: Clip) -> tuple[Bool[Tensor, "B K"], Float[Tensor, "B K H W"]]:
    """The slots of a batch that are in use, and the masks of its first frames."""
    num_slots = max(1, int(clip.num_objects.max()))
    return slots_in_use(clip.num_objects, num_slots), one_hot(clip.labels[:, 0], num_slots)
