"""Changes of the mask that local attention is told, so that a network learns not to trust it blindly."""

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
    """Shifts, scales, thins or thickens the masks of a clip, or takes them away.

    What is drawn depends on the clip's own pixels and the frame alone: not on how clips are batched, nor on where a
    training was resumed.

    Args:
        probability: that the masks of a frame are changed.
        shift: greatest way along each axis, as a share of the side.
        scale: least and greatest factor of their size.
        grow: greatest way by which their edge moves in or out, in pixels.
        drop: probability that a frame that is changed has no masks at all.
    """

    probability: float = 0.7
    shift: float = 0.1
    scale: Sequence[float] = (0.9, 1.1)
    grow: int = 8
    drop: float = 0.1

    def __call__(self, masks: Float[Tensor, "B K H W"], clip: Clip, t: int) -> Float[Tensor, "B K H W"]:
        """Masks of frame t - 1 as frame t is told of them; in [0, 1] as they were."""
        names = clip.frames.flatten(1).sum(dim=1, dtype=torch.int64).tolist()
        changed = [self._changed(own, np.random.default_rng((name, t))) for own, name in zip(masks, names, strict=True)]
        return torch.stack(changed)

    def _changed(self, masks: Float[Tensor, "K H W"], rng: np.random.Generator) -> Float[Tensor, "K H W"]:
        if rng.random() >= self.probability:
            return masks
        if rng.random() < self.drop:
            return torch.zeros_like(masks)
        right, down = rng.uniform(-self.shift, self.shift, 2)
        factor, edge = rng.uniform(self.scale[0], self.scale[1]), int(rng.integers(-self.grow, self.grow + 1))
        # The grid says for each pixel where it comes from, in halves of a side.
        back = torch.tensor([[1 / factor, 0, -2 * right], [0, 1 / factor, -2 * down]], dtype=masks.dtype)
        grid = F.affine_grid(back[None].to(masks.device), [1, *masks.shape], align_corners=False)
        moved = F.grid_sample(masks[None], grid, align_corners=False)
        size = 2 * abs(edge) + 1
        thick = F.max_pool2d(moved if edge > 0 else 1 - moved, size, stride=1, padding=abs(edge))[0]
        return thick if edge > 0 else 1 - thick
