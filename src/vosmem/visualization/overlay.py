"""Masks drawn over frames."""

import cv2
import numpy as np
from jaxtyping import UInt8

# Colours that are distinct on photographs, also for most colour-blind readers (after Okabe and Ito).
COLOURS = np.array(
    [(230, 57, 70), (0, 158, 255), (255, 200, 0), (0, 190, 120), (204, 102, 255), (255, 127, 14), (120, 220, 255)],
    np.uint8,
)
TINT = 0.5  # weight of the colour against the frame


def overlay(frame: UInt8[np.ndarray, "H W 3"], labels: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """Tint each object k with colour k and draw its outline."""
    out = frame.copy()
    left, top, width, height = cv2.boundingRect((labels > 0).astype(np.uint8))
    # One pixel more on each side, so that the outline includes the objects' neighbours.
    box = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    labels, part = np.ascontiguousarray(labels[box]), out[box]
    inside = labels > 0
    colours = COLOURS[(labels[inside].astype(int) - 1) % len(COLOURS)]
    part[inside] = ((1 - TINT) * part[inside].astype(np.float32) + TINT * colours).astype(np.uint8)
    grown = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    part[grown & inside] = colours[grown[inside]]
    return out
