"""Attention maps over memory frames, as in the paper's Figure 5."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps

from vosmem.ops.padding import STRIDE
from vosmem.visualization.contact_sheet import SheetRow

HEAT = colormaps["inferno"]
DIMMED = 0.45  # brightness of a frame under the heat map
SOFTNESS = 0.4  # width of the blur between cells, in cells
MARK = (255, 40, 40)


def attention_row(
    caption: str,
    query_frame: UInt8[np.ndarray, "H W 3"],
    pixels: Sequence[tuple[int, int]],
    memory_frames: Sequence[UInt8[np.ndarray, "H W 3"]],
    maps: Float[np.ndarray, "T h w"],
) -> SheetRow:
    """A row of a sheet: the query frame with its pixels marked, and a heat map over each memory frame.

    Args:
        caption: caption of the row.
        query_frame: RGB bytes.
        pixels: row and column of the query pixels.
        memory_frames: the frames in memory, as many as maps.
        maps: shares of the attention at the network's resolution; not below 0.

    Example:
        >>> frame = np.zeros((32, 48, 3), np.uint8)
        >>> len(attention_row("frame 1", frame, [(16, 24)], [frame], np.ones((1, 2, 3))).pictures)
        2
    """
    top = max(float(maps.max()), np.finfo(np.float32).tiny)
    overlays = [heat_over(frame, own / top) for frame, own in zip(memory_frames, maps, strict=True)]
    return SheetRow(caption, [_marked(query_frame, pixels), *overlays])


def heat_over(frame: UInt8[np.ndarray, "H W 3"], heat: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "H W 3"]:
    """A grey frame under a colour map of `heat`, which is in [0, 1] at the network's resolution."""
    height, width = frame.shape[:2]
    wide = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    spread = max(0.1, SOFTNESS * STRIDE * height / heat.shape[0])
    soft = np.clip(cv2.GaussianBlur(wide, (0, 0), spread), 0, 1)
    grey = DIMMED * frame.mean(axis=2, keepdims=True).repeat(3, axis=2)
    strength = np.sqrt(soft)[..., None]  # so that small shares are visible
    return ((1 - strength) * grey + strength * 255 * HEAT(strength[..., 0])[..., :3]).astype(np.uint8)


def _marked(frame: UInt8[np.ndarray, "H W 3"], pixels: Sequence[tuple[int, int]]) -> UInt8[np.ndarray, "H W 3"]:
    marked = frame.copy()
    radius = max(2, frame.shape[0] // 40)
    for row, column in pixels:
        cv2.circle(marked, (column, row), radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(marked, (column, row), radius, MARK, -1, cv2.LINE_AA)
    return marked
