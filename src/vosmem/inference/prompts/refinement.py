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
WHOLE_SIDE = 224  # the same for whole frames
MOST = 4.0  # magnification
LONGEST = 1.5  # ratio of the window's sides
LEAST = 16  # pixels a side


@torch.inference_mode()
def refine(
    network: MemoryNetwork,
    frame: Float[Tensor, "3 H W"],
    rough: Float[Tensor, "H W"],
    passes: int = 3,
    whole_frames: int = 0,
) -> list[Float[Tensor, "H W"]]:
    """Refine a rough mask of one object.

    Each pass memorises the frame with the last mask and segments the frame with that memory, in a window around the
    last mask. It ends early if the mask becomes empty. Run it in the engine's context.

    Args:
        frame: RGB in [0, 1].
        rough: the mask, in [0, 1]; some pixel is at least 0.5.
        passes: number of passes.
        whole_frames: number of first passes that see the whole frame, for a rough mask that does not show how large the
            object is.

    Returns:
        the probability of the object after each pass; 0 outside the window.
    """
    results, last = [], rough
    for number in range(passes):
        if not bool((last >= 0.5).any()):
            break
        view = _whole(last) if number < whole_frames else _around(last)
        last = _pass(network, view, frame, last)
        results.append(last)
    return results


def _pass(
    network: MemoryNetwork, view: View, frame: Float[Tensor, "3 H W"], rough: Float[Tensor, "H W"]
) -> Float[Tensor, "H W"]:
    top, left, height, width = view.window
    image, part = view.image(frame, network.border), rough[top : top + height, left : left + width]
    probs = F.interpolate(part[None, None], size=view.size, mode="bilinear", antialias=True)[0]
    masks = view.masks(torch.cat([1 - probs, probs]))
    query = network.encode_query(image, Prior(cells(masks)))
    logits = view.without_border(network.segment(query, network.encode_memory(image, masks)))
    return view.back(logits.softmax(dim=1)[0].to(rough.dtype))[1]


def _whole(rough: Float[Tensor, "H W"]) -> View:
    """Return the view of the whole frame."""
    height, width = rough.shape
    factor = WHOLE_SIDE / sqrt(height * width)
    size = (max(1, round(factor * height)), max(1, round(factor * width)))
    return View.of(Window(0, 0, height, width), (height, width), size)


def _around(rough: Float[Tensor, "H W"]) -> View:
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
