"""How much objects change from one frame to another."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.locality import SEEN, centres

EPSILON = 1e-6  # cells
AttentionMaps = tuple[Float[Tensor, "K h w"], Float[Tensor, "Ck h w"]]


def variations(
    now: AttentionMaps, then: AttentionMaps, feature_weight: float, aligned: bool = False
) -> Float[Tensor, "K"]:
    """Change of each object in mask and features; 0 for the same, 1 for nothing in common.

    Args:
        now: soft masks of the objects, averaged over cells, and the frame's keys.
        then: those of the other frame, in the same order.
        feature_weight: how much features count beside masks, in [0, 1].
        aligned: whether the other masks are shifted so that their centres lie on these.

    Returns:
        `(1 - w) (1 - sum min(m, m') / sum max(m, m')) + w (1 - cos(k, k'))`, w the weight, k the mean key in the mask,
        clamped to [0, 1]. 0 for objects that are not seen now.
    """
    (masks, keys), (before, keys_before) = now, then
    moved = _shifted(before, masks) if aligned else before
    both, any_ = torch.minimum(masks, moved).sum(dim=(1, 2)), torch.maximum(masks, moved).sum(dim=(1, 2))
    shape = 1 - both / any_.clamp(min=EPSILON)
    looks = F.cosine_similarity(_inside(masks, keys), _inside(before, keys_before), dim=1)
    change = (1 - feature_weight) * shape + feature_weight * (1 - looks)
    return torch.where(masks.flatten(1).amax(dim=1) >= SEEN, change.clamp(0, 1), 0.0)


def certainty(probs: Float[Tensor, "K1 H W"]) -> Float[Tensor, ""]:
    """Mean probability of the likeliest object where objects are likelier than background; 0 where none is.

    Example:
        >>> certainty(torch.tensor([[[0.25, 0.75]], [[0.75, 0.25]]])).item()
        0.75
    """
    inside = probs[0] < 0.5
    likeliest = (1 - probs[0] if len(probs) == 1 else probs[1:].amax(dim=0)) * inside
    return likeliest.sum() / inside.sum().clamp(min=1)


def _inside(masks: Float[Tensor, "K h w"], keys: Float[Tensor, "Ck h w"]) -> Float[Tensor, "K Ck"]:
    """Mean key of each object."""
    sums = torch.einsum("khw,chw->kc", masks, keys.to(masks.dtype))
    return sums / (masks.sum(dim=(1, 2))[:, None] + EPSILON)


def _shifted(masks: Float[Tensor, "K h w"], onto: Float[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
    """Masks moved so that their centres lie on those of the others; cells outside are empty."""
    ways = centres(onto[None])[0][0] - centres(masks[None])[0][0]  # rows, columns
    height, width = masks.shape[1:]
    back = torch.eye(2, 3, dtype=masks.dtype, device=masks.device).repeat(len(masks), 1, 1)
    back[:, 0, 2], back[:, 1, 2] = -2 * ways[:, 1] / width, -2 * ways[:, 0] / height
    grid = F.affine_grid(back, [len(masks), 1, height, width], align_corners=False)
    return F.grid_sample(masks[:, None], grid, align_corners=False)[:, 0]
