"""Baseline methods without a network, with the interface of `Propagator`."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from vosmem.errors import InputError
from vosmem.ops.masks import overwrite


class CopyFirstMask:
    """Copies the given masks to every later frame; a later mask overwrites an earlier one."""

    def __init__(self) -> None:
        self._probs: Tensor | None = None

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None, *, absent: Sequence[int] = ()
    ) -> Float[Tensor, "K1 H W"]:
        """The probabilities of the previous frame, moved to this one, with the given mask.

        Raises:
            InputError: the first frame has no mask.
        """
        if mask is None and self._probs is None:
            raise InputError("the first frame has no mask: give one to say which objects to follow")
        probs = torch.ones(1, *frame.shape[-2:]) if self._probs is None else self._moved(self._probs)
        labels = torch.zeros(probs.shape[1:], dtype=torch.uint8) if mask is None else mask.cpu()
        self._probs = overwrite(probs, labels, absent=absent)
        return self._probs

    def _moved(self, probs: Float[Tensor, "K1 H W"]) -> Float[Tensor, "K1 H W"]:
        """Move the previous probabilities to this frame: here they stay."""
        return probs


class WarpByFlow(CopyFirstMask):
    """Warps the previous mask by DIS optical flow (Kroeger et al., ECCV 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self._optical_flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: np.ndarray = np.zeros((0, 0), np.uint8)
        self._previous_grey = self._grey

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None, *, absent: Sequence[int] = ()
    ) -> Float[Tensor, "K1 H W"]:
        """The previous probabilities, warped by the backward flow; InputError if the first frame has no mask."""
        rgb = (frame.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        self._previous_grey, self._grey = self._grey, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        return super().step(frame, mask, absent=absent)

    def _moved(self, probs: Float[Tensor, "K1 H W"]) -> Float[Tensor, "K1 H W"]:
        flow = self._optical_flow.calc(self._grey, self._previous_grey, np.zeros((*self._grey.shape, 2), np.float32))
        rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        return torch.from_numpy(np.stack([cv2.remap(slot, x, y, cv2.INTER_LINEAR) for slot in probs.numpy()]))
