"""Which of the remembered frames say something that the others do not."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def describe(key: Float[Tensor, "B Ck h w"], objects: Float[Tensor, "B h w"]) -> Float[Tensor, "B D"]:
    """A frame in one vector of length 1: its mean key where objects are, and its mean key where none is.

    Args:
        key: of the frames as queries.
        objects: probability of any object for each cell, in [0, 1].
    """
    inside = torch.stack([objects, 1 - objects], dim=1).to(key.dtype)
    sums = torch.einsum("bshw,bchw->bsc", inside, key)
    means = sums / inside.sum(dim=(2, 3)).clamp(min=1)[..., None]
    return F.normalize(means.flatten(1).float() if means.dtype != torch.float64 else means.flatten(1), dim=1)


def rank(descriptors: Float[Tensor, "B T D"], num_fixed: int) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Order frames so that each is as unlike those before it as any that is left.

    Args:
        descriptors: of the frames, of length 1.
        num_fixed: so many frames, at least 1, come first in the order in which they stand.

    Returns:
        for each rank the place of its frame, and its novelty: 1 less its greatest cosine to a frame of a lower rank, in
        [0, 2]; 1 for the fixed ones.

    Example:
        >>> frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> rank(frames, 1)
        (tensor([[0, 2, 1]]), tensor([[1., 1., 0.]]))
    """
    with torch.autocast(descriptors.device.type, enabled=False):  # bfloat16 has no numbers between 0.996 and 1
        alike = descriptors @ descriptors.transpose(1, 2)
    batch, num_frames = alike.shape[:2]
    nearest = alike[:, :num_fixed].amax(dim=1)
    nearest[:, :num_fixed] = torch.inf  # those are ranked
    order = [torch.arange(num_fixed, device=alike.device).expand(batch, -1)]
    novelty = [alike.new_ones(batch, num_fixed)]
    rows = torch.arange(batch, device=alike.device)
    for _ in range(num_fixed, num_frames):
        least, place = nearest.min(dim=1)
        order.append(place[:, None])
        novelty.append(1 - least[:, None])
        nearest = torch.maximum(nearest, alike[rows, place])
        nearest[rows, place] = torch.inf
    return torch.cat(order, dim=1), torch.cat(novelty, dim=1)
