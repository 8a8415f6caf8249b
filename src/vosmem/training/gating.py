"""Training of the dynamic memory's gate, with the rest of the network frozen."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.networks.gate import log_mask
from vosmem.networks.network import MemoryNetwork, frame_shares, owners_of
from vosmem.ops.locality import cells, union
from vosmem.ops.masks import on_device, one_hot
from vosmem.ops.novelty import describe, rank
from vosmem.shapes import Clip, Memory, Prior, Query
from vosmem.training.losses import divergence
from vosmem.training.modules import PretrainModule
from vosmem.training.unroll import valid_slots

NUM_FIXED = 2  # the frame with the given mask, and the newest
# In training a frame needs half a count more to stay than at inference. Otherwise the memory-size penalty pushes the
# count to the rounding threshold, and whether the last needed frame stays is random.
MARGIN = 0.5


class Gated(NamedTuple):
    """The logits of a clip's last frames, given the gated memory of all other frames.

    Attributes:
        logits: logits with the gate's soft mask on the memory.
        full: logits with the whole memory, without gradients.
        kept: share of the frames that the gate keeps.
    """

    logits: Float[Tensor, "B T K1 H W"]
    full: Float[Tensor, "B T K1 H W"]
    kept: Float[Tensor, "B"]


class _Remembered(NamedTuple):
    """A clip's memory, and the gate's inputs for its frames."""

    memory: Memory
    descriptors: Float[Tensor, "B T D"]
    usage: Float[Tensor, "B T"]


def unroll_gated(network: MemoryNetwork, clip: Clip, temperature: float, num_queries: int) -> Gated:
    """Memorise all but the last frames of a clip with true masks; segment the last with the gate's soft mask.

    Only the gate gets gradients, through the number of frames that it keeps. It does not use `unroll`: true masks are
    memorised, and no frame before the last ones is segmented.

    Args:
        network: the network, with a gate.
        clip: at least three frames more than `num_queries`, whose sides are multiples of 16.
        temperature: see `log_mask`.
        num_queries: number of last frames to segment.

    Raises:
        InputError: the clip is too short.
    """
    num_frames = clip.frames.shape[1] - num_queries
    if num_frames <= NUM_FIXED:
        raise InputError(
            f"clips of {clip.frames.shape[1]} frames are too short to train a gate: raise augmentation.num_frames to "
            f"{num_queries + NUM_FIXED + 1} or more"
        )
    frames = clip.frames.float() / 255
    valid = valid_slots(clip)
    num_slots = valid.shape[1]
    truth = [one_hot(labels, num_slots) for labels in clip.labels.unbind(dim=1)]
    with torch.no_grad():
        remembered = _remember(network, frames[:, :num_frames], truth[:num_frames], valid)
    log_weights, count = _gate(network, remembered, temperature)
    logits, full = [], []
    for t in range(num_frames, clip.frames.shape[1]):
        with torch.no_grad():
            query = network.encode_query(frames[:, t], Prior(cells(truth[t - 1]), valid))
            full.append(network.segment(query, remembered.memory, valid))
        logits.append(network.segment(query, remembered.memory, valid, log_weights))
    return Gated(torch.stack(logits, dim=1), torch.stack(full, dim=1), count / num_frames)


def _remember(
    network: MemoryNetwork,
    frames: Float[Tensor, "B T 3 H W"],
    masks: list[Float[Tensor, "B K H W"]],
    valid: Bool[Tensor, "B K"],
) -> _Remembered:
    entries: list[Memory] = []
    descriptors = []
    usage = frames.new_zeros(frames.shape[:2])
    for t in range(frames.shape[1]):
        query = network.encode_query(frames[:, t], Prior(cells(masks[t - 1]), valid) if t else None)
        if t:
            usage[:, :t] += _shares(network, query, _joined(entries), valid)
        entries.append(network.encode_memory(frames[:, t], masks[t], valid, query))
        descriptors.append(describe(query.key, union(cells(masks[t]))))
    reads = torch.arange(frames.shape[1] - 1, -1, -1, device=usage.device).clamp(min=1)
    return _Remembered(_joined(entries), torch.stack(descriptors, dim=1), usage / reads)


def _gate(
    network: MemoryNetwork, remembered: _Remembered, temperature: float
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B"]]:
    """The bias on the affinity of each frame, and the number of frames that the gate keeps."""
    assert network.gate is not None  # GateModule checks it
    num_frames = remembered.usage.shape[1]
    middle = range(1, num_frames - 1)
    by_bank = torch.tensor([0, num_frames - 1, *middle], device=remembered.usage.device)  # the bank's order
    order, novelty = rank(remembered.descriptors[:, by_bank], NUM_FIXED)
    frame_index = by_bank[order]
    age = (num_frames - 1 - frame_index).to(novelty.dtype)
    count = network.gate(novelty, remembered.usage.gather(1, frame_index), age, NUM_FIXED)
    by_rank = log_mask(count - MARGIN, num_frames, NUM_FIXED, temperature)
    return torch.zeros_like(by_rank).scatter(1, frame_index, by_rank), count


def _shares(network: MemoryNetwork, query: Query, memory: Memory, valid: Bool[Tensor, "B K"]) -> Float[Tensor, "B T"]:
    """The share of a clip's attention on each frame; 0 for clips without objects."""
    rows = frame_shares(network, query, memory, valid)
    owners = owners_of(rows, valid)
    sums = rows.new_zeros(len(valid), rows.shape[1]).index_add(0, owners, rows)
    counts = valid.sum(dim=1).clamp(min=1)[:, None]
    return sums / on_device(counts, sums.device)


def _joined(entries: list[Memory]) -> Memory:
    keys, values = zip(*entries, strict=True)
    return Memory(torch.cat(keys, dim=2), torch.cat(values, dim=2))


class GateModule(PretrainModule):
    """REMN's last training phase: the gate learns how many memory frames to keep.

    The loss sums the loss of the masks with the gated memory, their divergence from the masks with the whole memory,
    and the share of kept frames.

    Args:
        temperature: temperature of the soft mask, as a function of the step.
        size_weight: scales the memory-size penalty, the share of kept frames. Too small: the gate learns a
            constant count. Too large: the gate drops every frame.
        consistency: weight of the divergence.
        num_queries: number of last frames of each clip to segment.
        settings: keywords of `PretrainModule`, except `matching_weight`, `recompute` and `perturb`.

    Raises:
        InputError: the network has no gate, or `matching_weight`, `recompute` or `perturb` is set.

    Source:
        this project; REMN's abstract says that the gate is differentiable.
    """

    def __init__(
        self,
        *,
        temperature: Callable[[int], float],
        size_weight: float,
        consistency: float,
        num_queries: int,
        **settings: Any,
    ):
        super().__init__(**settings)
        if self.network.gate is None:
            raise InputError("the network has no gate to train: set model.gate=true")
        if self.matching_weight or self.recompute or self.perturb is not None:
            raise InputError(
                "phase.matching_weight, phase.recompute and phase.perturb have no effect in phase=gate: leave them out"
            )
        self.network.requires_grad_(False)
        self.network.gate.requires_grad_(True)
        self.temperature, self.num_queries = temperature, num_queries
        self.size_weight, self.consistency = size_weight, consistency

    def training_step(self, clip: Clip, batch_index: int) -> Float[Tensor, ""]:
        temperature = self.temperature(self.global_step)
        gated = unroll_gated(self.network, clip, temperature, self.num_queries)
        mask_loss = self.loss(gated.logits, clip.labels[:, -self.num_queries :], self.global_step)
        gap, kept = divergence(gated.full, gated.logits), gated.kept.mean()
        loss: Tensor = mask_loss + self.consistency * gap + self.size_weight * kept
        self.log_mean("train/loss", loss, clip, prog_bar=True)
        self.log_mean("train/kept_share", kept, clip, prog_bar=True)
        self.log_mean("train/divergence", gap, clip)
        self.log("train/temperature", temperature, batch_size=len(clip.frames))
        return loss
