"""How many objects are computed at a time where no gradients are kept."""

import torch
from torch import Tensor

# The maps of decoder and memory encoder take about 250 bytes a pixel and object in float32: 2 GB.
GPU_PIXELS = 2**23


def chunk_objects(num_objects: int, pixels: int, device: torch.device) -> int:
    """Return the number of objects whose maps exist at a time, at least 1.

    On a GPU these are all objects while their pixels stay below `GPU_PIXELS`, since small kernels leave a GPU idle.
    On other devices it is one object: its maps fill the device, and the maps of several objects leave the caches.

    Args:
        num_objects: number of objects.
        pixels: pixels of a frame.
        device: the device that computes.
    """
    return max(1, min(num_objects, GPU_PIXELS // max(1, pixels))) if device.type == "cuda" else 1


def split_objects(pixels: int, *rows: Tensor) -> list[tuple[Tensor, ...]]:
    """Split tensors that have a row for each object into chunks; with gradients, which need all maps, in one piece."""
    if torch.is_grad_enabled():
        return [rows]
    size = chunk_objects(len(rows[0]), pixels, rows[0].device)
    return list(zip(*(part.split(size) for part in rows), strict=True))
