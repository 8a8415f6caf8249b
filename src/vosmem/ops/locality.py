"""Soft neighbourhoods of the previous masks, on the grid of memory cells."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.padding import STRIDE
from vosmem.shapes import Prior

BLUR = (0.05449, 0.24420, 0.40262, 0.24420, 0.05449)  # a Gaussian of one cell, cut at two
SEEN = 0.1  # probability in its fullest cell below which an object counts as leaving the frame; at 0 it is lost
ROUNDING = 1e-3  # cells: a displacement of one cell stays one cell in any arithmetic
LEAST_MASS = 0.5  # cells that an object must fill for its centre to be meaningful


def cells(masks: Float[Tensor, "B K H W"]) -> Float[Tensor, "B K h w"]:
    """Average masks over memory cells."""
    # One channel a row, since pooling refuses a batch without channels and not an empty batch.
    return F.avg_pool2d(masks.flatten(0, 1)[:, None], STRIDE)[:, 0].unflatten(0, masks.shape[:2])


def union(masks: Float[Tensor, "B K h w"]) -> Float[Tensor, "B h w"]:
    """Return the probability that a cell holds any object.

    Example:
        >>> union(torch.tensor([[[[0.5]], [[0.5]]]])).item()
        0.75
    """
    return 1 - (1 - masks).prod(dim=1)


def presence(prior: Prior) -> Float[Tensor, "B"]:
    """Return 1 if all objects are visible, falling to 0 with the least visible one; 0 if there are no objects."""
    fullest = prior.masks.flatten(2).amax(dim=2)
    if prior.valid is not None:
        fullest = fullest.masked_fill(~prior.valid.to(fullest.device, non_blocking=True), torch.inf)
    if not fullest.shape[1]:
        return fullest.new_zeros(len(fullest))
    least = fullest.amin(dim=1)
    return torch.where(least.isinf(), 0.0, (least / SEEN).clamp(max=1))


def centres(masks: Float[Tensor, "B K h w"]) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """Return the centre of mass of each object (row, column; in cells), and the number of cells that it fills."""
    mass = masks.sum(dim=(2, 3))
    rows, columns = (torch.arange(length, device=masks.device, dtype=masks.dtype) for length in masks.shape[2:])
    sums = torch.stack([(masks.sum(dim=3) * rows).sum(dim=2), (masks.sum(dim=2) * columns).sum(dim=2)], dim=2)
    return sums / mass.clamp(min=math.ulp(1.0))[..., None], mass


def displacement(prior: Prior) -> Float[Tensor, "B"]:
    """Return the displacement of the fastest object between the two previous frames, in cells; 0 if unknown."""
    if prior.earlier is None:
        return prior.masks.new_zeros(len(prior.masks))
    (last, earlier), masses = zip(*(centres(masks) for masks in (prior.masks, prior.earlier)), strict=True)
    known = (masses[0] >= LEAST_MASS) & (masses[1] >= LEAST_MASS)
    return torch.where(known, (last - earlier).norm(dim=2), 0.0).amax(dim=1)


def nearness(prior: Prior, radius: int, max_radius: int) -> Float[Tensor, "B h w"]:
    """Return a soft neighbourhood of the previous masks: 1 on the masks, 0 beyond the radius.

    The displacement of the fastest object is added to the radius (in cells), up to `max_radius`.
    """
    reach = (radius + (displacement(prior) - ROUNDING).ceil()).clamp(max=max_radius)
    grown = chosen = union(prior.masks)[:, None]
    for step in range(1, max_radius + 1):
        grown = F.max_pool2d(grown, kernel_size=3, stride=1, padding=1)
        chosen = torch.where((reach >= step)[:, None, None, None], grown, chosen)
    return _blur(chosen)[:, 0].clamp(0, 1)


def _blur(x: Float[Tensor, "B 1 h w"]) -> Float[Tensor, "B 1 h w"]:
    height, width = x.shape[2:]
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")  # cells at the border are as near as their neighbours
    # Sums rather than convolutions, which autocast would lower.
    x = torch.stack([weight * x[..., shift : shift + height, :] for shift, weight in enumerate(BLUR)]).sum(dim=0)
    return torch.stack([weight * x[..., shift : shift + width] for shift, weight in enumerate(BLUR)]).sum(dim=0)
