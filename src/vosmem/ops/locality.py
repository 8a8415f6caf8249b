"""Where objects may be, by where they were: soft neighbourhoods on the grid of memory cells."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.padding import STRIDE
from vosmem.shapes import Prior

BLUR = (0.05449, 0.24420, 0.40262, 0.24420, 0.05449)  # a Gaussian of one cell, cut at two
SEEN = 0.1  # an object whose fullest cell holds less is on its way out of sight; without any it is lost
ROUNDING = 1e-3  # cells: objects that moved by a whole cell have that, and not one more in another arithmetic
LEAST_MASS = 0.5  # cells that an object must fill for its centre to mean something


def cells(masks: Float[Tensor, "B K H W"]) -> Float[Tensor, "B K h w"]:
    """Masks averaged over memory cells."""
    # One channel a row, since pooling refuses a batch without channels and not an empty batch.
    return F.avg_pool2d(masks.flatten(0, 1)[:, None], STRIDE)[:, 0].unflatten(0, masks.shape[:2])


def union(masks: Float[Tensor, "B K h w"]) -> Float[Tensor, "B h w"]:
    """Probability that any of the objects is there.

    Example:
        >>> union(torch.tensor([[[[0.5]], [[0.5]]]])).item()
        0.75
    """
    return 1 - (1 - masks).prod(dim=1)


def presence(prior: Prior) -> Float[Tensor, "B"]:
    """1 where all objects were seen, falling to 0 with the one that was seen least; 0 where there is none."""
    fullest = prior.masks.flatten(2).amax(dim=2)
    if prior.valid is not None:
        fullest = fullest.masked_fill(~prior.valid, torch.inf)
    if not fullest.shape[1]:
        return fullest.new_zeros(len(fullest))
    least = fullest.amin(dim=1)
    return torch.where(least.isinf(), 0.0, (least / SEEN).clamp(max=1))


def centres(masks: Float[Tensor, "B K h w"]) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """Mean place of each object, row and column in cells, and how many cells it fills."""
    mass = masks.sum(dim=(2, 3))
    rows, columns = (torch.arange(length, device=masks.device, dtype=masks.dtype) for length in masks.shape[2:])
    places = torch.stack([(masks.sum(dim=3) * rows).sum(dim=2), (masks.sum(dim=2) * columns).sum(dim=2)], dim=2)
    return places / mass.clamp(min=math.ulp(1.0))[..., None], mass


def displacement(prior: Prior) -> Float[Tensor, "B"]:
    """Cells that the fastest object moved between the two frames; 0 where that is not known."""
    if prior.earlier is None:
        return prior.masks.new_zeros(len(prior.masks))
    (now, then), masses = zip(*(centres(masks) for masks in (prior.masks, prior.earlier)), strict=True)
    moved = (now - then).norm(dim=2)
    known = (masses[0] >= LEAST_MASS) & (masses[1] >= LEAST_MASS)
    return torch.where(known, moved, 0.0).amax(dim=1)


def nearness(prior: Prior, radius: int, max_radius: int) -> Float[Tensor, "B h w"]:
    """A soft neighbourhood of where the objects were: 1 there, 0 beyond the radius.

    Args:
        prior: where they were.
        radius: of the neighbourhood in cells, for objects that stand still; those that move have more by their way.
        max_radius: greatest radius.
    """
    reach = (radius + (displacement(prior) - ROUNDING).ceil()).clamp(max=max_radius)
    grown = union(prior.masks)[:, None]
    chosen = grown
    for step in range(1, max_radius + 1):
        grown = F.max_pool2d(grown, kernel_size=3, stride=1, padding=1)
        chosen = torch.where((reach >= step)[:, None, None, None], grown, chosen)
    return _blur(chosen)[:, 0].clamp(0, 1)


def _blur(x: Float[Tensor, "B 1 h w"]) -> Float[Tensor, "B 1 h w"]:
    """The border repeats, so that it is as near as what lies beside it."""
    height, width = x.shape[2:]
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")
    # Sums rather than convolutions, which autocast would lower.
    x = torch.stack([weight * x[..., shift : shift + height, :] for shift, weight in enumerate(BLUR)]).sum(dim=0)
    return torch.stack([weight * x[..., shift : shift + width] for shift, weight in enumerate(BLUR)]).sum(dim=0)
