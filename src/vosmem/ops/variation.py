"""Variation: how much objects change from one frame to another."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.locality import SEEN, centres

EPSILON = 1e-6  # cells
MasksAndKey = tuple[Float[Tensor, "K h w"], Float[Tensor, "Ck h w"]]


def variations(
    frame: MasksAndKey, last: MasksAndKey, feature_weight: float, aligned: bool = False
) -> Float[Tensor, "K"]:
    """Return the variation of each object in mask and features, in [0, 1]; 0 for no change.

    Args:
        frame: soft masks of the objects, averaged over cells, and the key of the frame.
        last: masks and key of the other frame, with the objects in the same order.
        feature_weight: weight of features against masks, in [0, 1].
        aligned: whether the other masks are shifted so that their centres coincide with these.

    Returns:
        `(1 - w) (1 - sum min(m, m') / sum max(m, m')) + w (1 - cos(k, k'))`, w the weight, k the mean key in the mask,
        clamped to [0, 1]; 0 for objects that are not visible in `frame`.
    """
    (masks, key), (last_masks, last_key) = frame, last
    moved = _shifted(last_masks, masks) if aligned else last_masks
    intersection, total = torch.minimum(masks, moved).sum(dim=(1, 2)), torch.maximum(masks, moved).sum(dim=(1, 2))
    in_mask = 1 - intersection / total.clamp(min=EPSILON)
    in_features = 1 - F.cosine_similarity(_mean_key(masks, key), _mean_key(last_masks, last_key), dim=1)
    change = (1 - feature_weight) * in_mask + feature_weight * in_features
    return torch.where(masks.flatten(1).amax(dim=1) >= SEEN, change.clamp(0, 1), 0.0)


def certainty(probs: Float[Tensor, "K1 H W"]) -> Float[Tensor, ""]:
    """Return the mean probability of the most likely object where objects exceed background; 0 if they never do.

    Example:
        >>> certainty(torch.tensor([[[0.25, 0.75]], [[0.75, 0.25]]])).item()
        0.75
    """
    inside = probs[0] < 0.5
    most_likely = (1 - probs[0] if len(probs) == 1 else probs[1:].amax(dim=0)) * inside
    return most_likely.sum() / inside.sum().clamp(min=1)


def _mean_key(masks: Float[Tensor, "K h w"], key: Float[Tensor, "Ck h w"]) -> Float[Tensor, "K Ck"]:
    with torch.autocast(key.device.type, enabled=False):  # sums over a frame leave the range of float16
        sums = torch.einsum("khw,chw->kc", masks, key.to(masks.dtype))
    return sums / (masks.sum(dim=(1, 2))[:, None] + EPSILON)


def _shifted(masks: Float[Tensor, "K h w"], onto: Float[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
    """Shift masks so that their centres coincide with those of the others; cells from outside are empty."""
    shifts = centres(onto[None])[0][0] - centres(masks[None])[0][0]  # rows, columns
    height, width = masks.shape[1:]
    back = torch.eye(2, 3, dtype=masks.dtype, device=masks.device).repeat(len(masks), 1, 1)
    back[:, 0, 2], back[:, 1, 2] = -2 * shifts[:, 1] / width, -2 * shifts[:, 0] / height
    grid = F.affine_grid(back, [len(masks), 1, height, width], align_corners=False)
    return F.grid_sample(masks[:, None], grid, align_corners=False)[:, 0]
