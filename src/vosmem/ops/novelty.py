"""Novelty: how different a frame in memory is from the other ones."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def describe(key: Float[Tensor, "B Ck h w"], objects: Float[Tensor, "B h w"]) -> Float[Tensor, "B D"]:
    """Return a descriptor of each frame: its mean keys in objects and in background, as one vector of length 1.

    `objects` is the probability of any object in each cell, in [0, 1].
    """
    dtype = torch.promote_types(key.dtype, torch.float32)
    weights = torch.stack([objects, 1 - objects], dim=1).to(dtype)
    with torch.autocast(key.device.type, enabled=False):  # sums over a frame leave the range of float16
        sums = torch.einsum("bshw,bchw->bsc", weights, key.to(dtype))
    means = (sums / weights.sum(dim=(2, 3)).clamp(min=1)[..., None]).flatten(1)
    return F.normalize(means, dim=1)


def rank(descriptors: Float[Tensor, "B T D"], num_fixed: int) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Rank frames so that each differs as much as possible from the frames ranked before it.

    Args:
        descriptors: descriptors of the frames, of length 1.
        num_fixed: number of leading frames that keep their rank, at least 1.

    Returns:
        for each rank the index of its frame, and its novelty: 1 minus its largest cosine similarity to a frame of a
        lower rank, in [0, 2]; 1 for the fixed frames.

    Example:
        >>> frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> rank(frames, 1)
        (tensor([[0, 2, 1]]), tensor([[1., 1., 0.]]))
    """
    with torch.autocast(descriptors.device.type, enabled=False):  # bfloat16 has no numbers between 0.996 and 1
        similarity = descriptors @ descriptors.transpose(1, 2)
    batch, num_frames = similarity.shape[:2]
    largest = similarity[:, :num_fixed].amax(dim=1)  # to the ranked frames
    largest[:, :num_fixed] = torch.inf  # never chosen again
    order = [torch.arange(num_fixed, device=similarity.device).expand(batch, -1)]
    novelty = [similarity.new_ones(batch, num_fixed)]
    rows = torch.arange(batch, device=similarity.device)
    for _ in range(num_fixed, num_frames):
        least, index = largest.min(dim=1)
        order.append(index[:, None])
        novelty.append(1 - least[:, None])
        largest = torch.maximum(largest, similarity[rows, index])
        largest[rows, index] = torch.inf
    return torch.cat(order, dim=1), torch.cat(novelty, dim=1)
