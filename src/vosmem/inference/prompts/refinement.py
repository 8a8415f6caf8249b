"""Refinement of a rough mask by a memory network: the frame is memorised with the mask, and segmented again."""

from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.window import Window, object_boxes
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.locality import cells
from vosmem.shapes import Prior

MARGIN = 2.0  # ratio of the window's sides to those of the mask's box
SIDE = 320  # of a square as large as the window for the network, in pixels
MOST = 4.0  # magnification
LONGEST = 1.5  # ratio of the window's sides
LEAST = 16  # pixels a side


@torch.inference_mode()
def refine(
    network: MemoryNetwork, frame: Float[Tensor, "3 H W"], rough: Float[Tensor, "H W"], passes: int = 2
) -> list[Float[Tensor, "H W"]]:
    """Refine a rough mask of one object.

    Each pass memorises the frame with the last mask and segments the frame with that memory, in a window around the
    rough mask. Run it in the engine's context.

    Args:
        frame: RGB in [0, 1].
        rough: the mask, in [0, 1]; some pixel is at least 0.5.

    Returns:
        the probability of the object after each pass; 0 outside the window.
    """
    view = _view(rough)
    image = view.image(frame, network.border)
    top, left, height, width = view.window
    probs = F.interpolate(
        rough[None, None, top : top + height, left : left + width], size=view.size, mode="bilinear", antialias=True
    )[0]
    results = []
    for _ in range(passes):
        masks = view.masks(torch.cat([1 - probs, probs]))
        query = network.encode_query(image, Prior(cells(masks)))
        memory = network.encode_memory(image, masks)
        probs = view.without_border(network.segment(query, memory)).softmax(dim=1)[0, 1:]
        results.append(view.back(torch.cat([1 - probs, probs]))[1])
    return results


def _view(rough: Float[Tensor, "H W"]) -> View:
    """Return the view around a mask, at the network's scale."""
    size = (rough.shape[0], rough.shape[1])
    box = object_boxes((rough >= 0.5).to(torch.uint8), 1, least=1).box
    assert box is not None  # the mask is not empty
    top, bottom, left, right = box
    sides = [MARGIN * (bottom - top), MARGIN * (right - left)]
    sides = [max(own, other / LONGEST, LEAST) for own, other in zip(sides, sides[::-1], strict=True)]
    height, width = (min(whole, round(own)) for whole, own in zip(size, sides, strict=True))
    start = [
        min(max(0, round(centre - length / 2)), whole - length)
        for centre, length, whole in zip(((top + bottom) / 2, (left + right) / 2), (height, width), size, strict=True)
    ]
    factor = min(MOST, SIDE / sqrt(height * width))
    scaled = (max(1, round(factor * height)), max(1, round(factor * width)))
    return View.of(Window(start[0], start[1], height, width), size, scaled)
