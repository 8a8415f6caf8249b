"""Methods without a network, with the propagator's interface: the floor that a network has to beat."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from vosmem.errors import InputError
from vosmem.ops.masks import one_hot


class CopyFirstMask:
    """Gives the last given mask for every frame."""

    def __init__(self) -> None:
        self._probs: Tensor | None = None

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None
    ) -> Float[Tensor, "K1 H W"]:
        """The mask given last, as probabilities of 0 and 1.

        Raises:
            InputError: the first frame has no mask.
        """
        if mask is not None:
            self._probs = _as_probs(mask, 0 if self._probs is None else self._probs.shape[0] - 1)
        if self._probs is None:
            raise InputError("the first frame has no mask: give one to say which objects to follow")
        return self._probs


class WarpByFlow:
    """Moves the previous mask along the DIS optical flow (Kroeger et al., ECCV 2016) from frame to frame."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: np.ndarray | None = None
        self._probs: Tensor | None = None

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None
    ) -> Float[Tensor, "K1 H W"]:
        """The previous probabilities, each pixel fetched from where the backward flow says it was.

        Raises:
            InputError: the first frame has no mask.
        """
        rgb = (frame.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        if mask is not None:
            self._probs = _as_probs(mask, 0 if self._probs is None else self._probs.shape[0] - 1)
        elif self._probs is None or self._grey is None:
            raise InputError("the first frame has no mask: give one to say which objects to follow")
        else:
            flow = self._flow.calc(grey, self._grey, np.zeros((*grey.shape, 2), np.float32))
            rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
            self._probs = torch.stack(
                [
                    torch.from_numpy(cv2.remap(slot, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR))
                    for slot in self._probs.numpy()
                ]
            )
        self._grey = grey
        return self._probs


def _as_probs(mask: Integer[Tensor, "H W"], at_least: int) -> Float[Tensor, "K1 H W"]:
    objects = one_hot(mask[None].cpu(), max(at_least, int(mask.max())))[0]
    return torch.cat([1 - objects.sum(0, keepdim=True), objects])
