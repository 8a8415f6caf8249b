"""Calibration of a network on training data before its first step: batch norms, memory head, scale of keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vosmem.data.sampling.clip_data import ClipData
from vosmem.errors import InputError
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.stm import STM
from vosmem.ops.masks import one_hot, pack
from vosmem.shapes import Clip
from vosmem.startup import timed
from vosmem.training.modules import PretrainModule
from vosmem.training.unroll import valid_slots

RIDGE = 0.1  # weight of the ridge penalty, as a share of the features' mean power


@dataclass(frozen=True)
class Calibration:
    """Settings of the calibration.

    Args:
        batches: number of training batches; 0 disables calibration.
        key_std: standard deviation of the keys after centring; None leaves the keys.
        teacher: a trained network whose values the memory head of an STM is fitted to; None leaves the head.
    """

    batches: int
    key_std: float | None
    teacher: MemoryNetwork | None = None


class CalibrateNetwork(pl.Callback):
    """Calibrates a network when its training is set up: after the check of the data, before its weights are copied.

    It has to come before callbacks that average weights.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str, **_: Any) -> None:
        """Calibrate, in every process alike."""
        if stage != "fit" or not self.calibration.batches:
            return
        assert isinstance(pl_module, PretrainModule)
        data: ClipData = trainer.datamodule  # type: ignore[attr-defined]
        with timed("calibration"):
            batches = islice(data.calibration_dataloader(), self.calibration.batches)
            calibrate(pl_module.network, batches, self.calibration)


def calibrate(network: MemoryNetwork, batches: Iterable[Clip], what: Calibration) -> None:
    """Calibrate a network in place on some training batches, on the network's device."""
    device = next(network.parameters()).device
    # The numbers of objects stay on the CPU, see `PretrainModule`.
    clips = [clip._replace(frames=clip.frames.to(device), labels=clip.labels.to(device)) for clip in batches]
    calibrate_batch_norm(network, clips)
    if what.teacher is not None:
        fit_memory_head(network, what.teacher.to(device), clips)
    if what.key_std is not None:
        calibrate_keys(network, clips, what.key_std)


@torch.no_grad()
def calibrate_batch_norm(network: MemoryNetwork, clips: Sequence[Clip]) -> None:
    """Set the running statistics of batch norms in randomly initialised trunks to the mean over some training batches.

    Without it such a trunk would normalise with mean 0 and variance 1, which its features do not have. A trained trunk
    keeps its statistics. Afterwards all statistics are frozen again.

    Args:
        network: the network; its statistics change, its parameters do not.
        clips: batches of clips; their first two frames are encoded, with the masks of the first.
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
    """Centre the query keys at zero and scale them; separate memory keys get the same shift and scale.

    Features after a ReLU share a large mean, which dominates dot products, and a randomly initialised head makes keys
    so small that the softmax over the memory is nearly uniform: the readout is then independent of the query, and
    hardly any gradient reaches the keys.

    Args:
        network: the network; weights and biases of its key convolutions change.
        clips: batches of clips; their second frames are encoded.
        key_std: standard deviation of the keys over cells and channels.
    """
    keys = torch.cat([network.encode_query(clip.frames[:, 1].float() / 255).key.flatten(2) for clip in clips])
    mean = keys.mean(dim=(0, 2))
    scale = key_std / (keys - mean.view(1, -1, 1)).std()
    for conv in network.key_convs():  # its output becomes (key - mean) * scale
        assert conv.bias is not None
        conv.weight.mul_(scale)
        conv.bias.sub_(mean).mul_(scale)


@torch.no_grad()
def fit_memory_head(network: MemoryNetwork, teacher: MemoryNetwork, clips: Sequence[Clip]) -> None:
    """Fit the memory head of an STM by ridge regression, so that query and decoder can read it from the first step.

    The key is fitted to the network's own query key of the same cell, and the value to that of a trained network, which
    the decoder was trained with.

    Args:
        network: the STM; the weights of its memory head change.
        teacher: the trained network, with equally wide values.
        clips: batches of clips; all frames are encoded with their true masks.

    Raises:
        InputError: the network is not an STM, or the teacher's values have another width.
    """
    if not isinstance(network, STM):
        raise InputError("calibration.teacher fits the memory head of an STM: set it to null for other networks")
    head = network.memory_head
    gram = moment = torch.zeros((), dtype=torch.float64)
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
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    fitted = (
        torch.linalg.solve(gram + ridge, moment).to(head.key.weight).split([head.key.out_channels, value.shape[1]], 1)
    )
    for conv, columns in zip((head.key, head.value), fitted, strict=True):
        assert conv.bias is not None
        conv.weight.copy_(columns[:-1].T.unflatten(1, conv.weight.shape[1:]))
        conv.bias.copy_(columns[-1])


def _cells(x: Float[Tensor, "B C N"]) -> Float[Tensor, "BN C"]:
    x = x.cpu() if x.device.type == "mps" else x  # MPS has no float64
    return x.transpose(1, 2).flatten(0, 1).double()


def _masks(clip: Clip, t: int) -> tuple[Bool[Tensor, "B K"], Float[Tensor, "B K H W"]]:
    """The valid slots of a batch, and the masks of frame t."""
    valid = valid_slots(clip)
    return valid, one_hot(clip.labels[:, t], valid.shape[1])
