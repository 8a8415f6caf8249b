"""Padding to the stride of the networks and back."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

STRIDE = 16

Padding = tuple[int, int, int, int]


def padding_to_stride(height: int, width: int, stride: int = STRIDE) -> Padding:
    """Left, right, top, bottom pixels that centre a frame in a multiple of `stride`; the low side gets floor(d/2).

    Example:
        >>> padding_to_stride(480, 854)
        (5, 5, 0, 0)
    """
    rows, columns = -height % stride, -width % stride
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def pad(x: Shaped[Tensor, "... H W"], padding: Padding) -> Shaped[Tensor, "... H2 W2"]:
    """Pad with zeros; frames before they are normalised, so that the border is black, as in the published STM code."""
    return F.pad(x, padding)


def pad_with_colour(
    frame: Float[Tensor, "... 3 H W"], padding: Padding, colour: Float[Tensor, "3"] | None
) -> Float[Tensor, "... 3 H2 W2"]:
    """Pad a frame with a colour; None is black. The mean that the networks subtract becomes a border of zeros."""
    padded = pad(frame, padding)
    if colour is None or not any(padding):
        return padded
    inside = pad(torch.ones_like(frame[..., :1, :, :], dtype=torch.bool), padding)
    return torch.where(inside, padded, colour.to(frame.dtype)[:, None, None])


def unpad(x: Shaped[Tensor, "... H2 W2"], padding: Padding) -> Shaped[Tensor, "... H W"]:
    """Cut the padding off again; `unpad(pad(x, p), p)` is `x`."""
    left, right, top, bottom = padding
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
