"""Padding to the stride of the networks, and its inverse."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

STRIDE = 16

Padding = tuple[int, int, int, int]  # left, right, top, bottom


def padding_to_stride(height: int, width: int, stride: int = STRIDE) -> Padding:
    """Return the padding that centres a frame in a multiple of `stride`; an odd pixel goes right and below.

    Example:
        >>> padding_to_stride(480, 854)
        (5, 5, 0, 0)
    """
    rows, columns = -height % stride, -width % stride
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def pad(x: Shaped[Tensor, "... H W"], padding: Padding) -> Shaped[Tensor, "... H2 W2"]:
    """Pad with zeros; frames before normalisation, so that the border is black, as in the published STM code."""
    return F.pad(x, padding)


def pad_with_colour(
    frame: Float[Tensor, "... 3 H W"], padding: Padding, colour: Float[Tensor, "3"] | None
) -> Float[Tensor, "... 3 H2 W2"]:
    """Pad a frame with a colour, None for black; the mean that networks subtract becomes a border of zeros."""
    padded = pad(frame, padding)
    if colour is None or not any(padding):
        return padded
    inside = pad(torch.ones_like(frame[..., :1, :, :], dtype=torch.bool), padding)
    return torch.where(inside, padded, colour.to(frame.dtype)[:, None, None])


def unpad(x: Shaped[Tensor, "... H2 W2"], padding: Padding) -> Shaped[Tensor, "... H W"]:
    """Remove the padding; `unpad(pad(x, p), p)` is `x`."""
    left, right, top, bottom = padding
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
