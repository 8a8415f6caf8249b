"""Frames to measure with: what they show does not change the work."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

GRAIN = 24  # pixels between the colours that are drawn at random


def made_frame(
    t: int, num_objects: int, height: int, width: int, seed: int = 5
) -> tuple[Float[Tensor, "1 3 H W"], UInt8[Tensor, "H W"]]:
    """A drifting picture of soft blobs with a band of objects that drifts along.

    Args:
        t: the frame; each moves on by 3 pixels.
        num_objects: K.
        height: in pixels.
        width: in pixels.
        seed: of the colours.

    Returns:
        RGB in [0, 1], and labels 0..K.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // GRAIN + 2, 2 * (width // GRAIN) + 2, 3), np.float32)
    texture = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    image = np.roll(texture, -3 * t, axis=1)[:, :width]
    labels = np.zeros((height, width), np.uint8)
    side = max(8, min(height // 3, width // (num_objects + 1)))
    for k in range(num_objects):
        left = (k * width // num_objects + 3 * t) % max(1, width - side)
        labels[height // 3 : height // 3 + side, left : left + side - 4] = k + 1
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float(), torch.from_numpy(labels)
