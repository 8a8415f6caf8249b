"""A mask from a box around the object."""

import cv2
import numpy as np
from jaxtyping import UInt8

from vosmem.errors import InputError

ROUNDS = 5
SMALLEST = 4  # pixels of a side: colour models need something to learn from
SEED = 0  # of GrabCut's first clusters


def mask_from_box(frame: UInt8[np.ndarray, "H W 3"], box: tuple[int, int, int, int]) -> UInt8[np.ndarray, "H W"]:
    """Cut the object out of its box with OpenCV's GrabCut, by the colours in and around the box.

    Args:
        frame: RGB bytes.
        box: x0, y0, x1, y1 in pixels, the last two just outside; what sticks out of the frame is cut off.

    Returns:
        1 for the object, 0 elsewhere.

    Raises:
        InputError: the box is empty, outside the frame or all of it, or nothing in it differs from what is around it.

    Source:
        Rother, Kolmogorov and Blake: GrabCut (SIGGRAPH 2004), as OpenCV has it.
    """
    height, width = frame.shape[:2]
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(width, box[2]), min(height, box[3])
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise InputError(
            f"box {box} leaves less than {SMALLEST} pixels a side of a frame of {width}x{height}: give x0,y0,x1,y1"
        )
    if (x1 - x0) * (y1 - y0) == width * height:
        raise InputError(f"box {box} is the whole frame: leave something around it that is not the object")
    mask = np.zeros((height, width), np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # the colour models, which OpenCV fills
    cv2.setRNGSeed(SEED)
    bgr, inside = np.ascontiguousarray(frame[..., ::-1]), (x0, y0, x1 - x0, y1 - y0)
    cv2.grabCut(bgr, mask, inside, background, foreground, ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if not found.any():
        raise InputError(f"nothing in box {box} differs from what is around it: draw a tighter box, or give a mask")
    return found
