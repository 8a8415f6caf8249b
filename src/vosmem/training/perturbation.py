"""Perturbation of the previous masks that local attention sees, so that a network learns not to trust them blindly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.shapes import Clip


@dataclass(frozen=True)
class PriorPerturbation:
    """Shifts, scales, erodes or dilates the masks of a clip, or drops them.

    The draws depend only on the clip's pixels and the frame index, not on batching or on where a training was resumed.

    Args:
        probability: probability that the masks of a frame are changed.
        shift: greatest displacement along each axis, as a share of the side.
        scale: least and greatest scale.
        grow: greatest erosion or dilation, in pixels.
        drop: probability that a changed frame has no masks.
    """

    probability: float = 0.7
    shift: float = 0.1
    scale: Sequence[float] = (0.9, 1.1)
    grow: int = 8
    drop: float = 0.1

    def __call__(self, masks: Float[Tensor, "B K H W"], clip: Clip, t: int) -> Float[Tensor, "B K H W"]:
        """Perturb the masks of frame t - 1, in [0, 1], for frame t."""
        seeds = clip.frames.flatten(1).sum(dim=1, dtype=torch.int64).tolist()
        rngs = [np.random.default_rng((seed, t)) for seed in seeds]
        return torch.stack([self._perturbed(own, rng) for own, rng in zip(masks, rngs, strict=True)])

    def _perturbed(self, masks: Float[Tensor, "K H W"], rng: np.random.Generator) -> Float[Tensor, "K H W"]:
        if rng.random() >= self.probability:
            return masks
        if rng.random() < self.drop:
            return torch.zeros_like(masks)
        right, down = rng.uniform(-self.shift, self.shift, 2)
        factor, edge = rng.uniform(self.scale[0], self.scale[1]), int(rng.integers(-self.grow, self.grow + 1))
        # The grid holds the source of each pixel, in halves of a side.
        inverse = torch.tensor([[1 / factor, 0, -2 * right], [0, 1 / factor, -2 * down]], dtype=masks.dtype)
        grid = F.affine_grid(inverse[None].to(masks.device), [1, *masks.shape], align_corners=False)
        moved = F.grid_sample(masks[None], grid, align_corners=False)
        size = 2 * abs(edge) + 1
        dilated = F.max_pool2d(moved if edge > 0 else 1 - moved, size, stride=1, padding=abs(edge))[0]
        return dilated if edge > 0 else 1 - dilated
