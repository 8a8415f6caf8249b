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
        """The masks given so far, as probabilities of 0 and 1.

        Raises:
            InputError: the first frame has no mask.
        """
        if mask is None and self._probs is None:
            raise InputError("the first frame has no mask: give one to say which objects to follow")
        self._probs = _given(_background(frame) if self._probs is None else self._probs, mask, absent)
        return self._probs


class WarpByFlow:
    """Warps the previous mask by DIS optical flow (Kroeger et al., ECCV 2016)."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: np.ndarray | None = None
        self._probs: Tensor | None = None

    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None = None, *, absent: Sequence[int] = ()
    ) -> Float[Tensor, "K1 H W"]:
        """The previous probabilities, warped by the backward flow.

        Raises:
            InputError: the first frame has no mask.
        """
        rgb = (frame.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        if self._probs is None or self._grey is None:
            if mask is None:
                raise InputError("the first frame has no mask: give one to say which objects to follow")
            probs = _background(frame)
        else:
            flow = self._flow.calc(grey, self._grey, np.zeros((*grey.shape, 2), np.float32))
            rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
            warped = [
                cv2.remap(slot, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
                for slot in self._probs.numpy()
            ]
            probs = torch.from_numpy(np.stack(warped))
        self._probs = _given(probs, mask, absent)
        self._grey = grey
        return self._probs


def _background(frame: Float[Tensor, "3 H W"]) -> Float[Tensor, "1 H W"]:
    return torch.ones(1, *frame.shape[-2:])


def _given(
    probs: Float[Tensor, "K1 H W"], mask: Integer[Tensor, "H W"] | None, absent: Sequence[int]
) -> Float[Tensor, "K1new H W"]:
    labels = torch.zeros(probs.shape[1:], dtype=torch.uint8) if mask is None else mask.cpu()
    return overwrite(probs, labels, absent=absent)
