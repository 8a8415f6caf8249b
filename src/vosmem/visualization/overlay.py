"""Masks drawn over frames."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Colours that are distinct on photographs, also for most colour-blind readers (after Okabe and Ito).
COLOURS = np.array(
    [(230, 57, 70), (0, 158, 255), (255, 200, 0), (0, 190, 120), (204, 102, 255), (255, 127, 14), (120, 220, 255)],
    np.uint8,
)
GAP = 4
HEADER = 22


def overlay(
    frame: UInt8[np.ndarray, "H W 3"], labels: UInt8[np.ndarray, "H W"], alpha: float = 0.5
) -> UInt8[np.ndarray, "H W 3"]:
    """Tint each object k with colour k and draw its outline; `alpha` in [0, 1] is the strength of the tint."""
    out = frame.copy()
    left, top, width, height = cv2.boundingRect((labels > 0).astype(np.uint8))
    # One pixel more on each side, so that the outline includes the objects' neighbours.
    box = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
    labels, part = np.ascontiguousarray(labels[box]), out[box]
    inside = labels > 0
    colours = COLOURS[(labels[inside].astype(int) - 1) % len(COLOURS)]
    part[inside] = ((1 - alpha) * part[inside].astype(np.float32) + alpha * colours).astype(np.uint8)
    grown = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    part[grown & inside] = colours[grown[inside]]
    return out


def overlay_strip(
    rows: Sequence[tuple[Tensor, Tensor | None, Tensor, Tensor | None, *tuple[Tensor, ...]]],
    path: Path,
    height: int = 160,
    predictions: Sequence[str] = ("prediction",),
) -> Path:
    """Write a PNG with a row for each sequence: first frame with its given mask, a later frame, truth, predictions.

    Args:
        rows: first frame (3, H, W) bytes, given labels, later frame, its true labels, its labels by each prediction.
        path: the PNG; its folder is made.
        height: height of a frame in pixels.
        predictions: titles of the predictions.
    """
    titles = ("given mask", "frame", "truth", *predictions)
    lines = []
    for first, given, frame, truth, *predicted in rows:
        start, later = _rgb(first), _rgb(frame)
        cells = [_over(start, given), later, _over(later, truth), *(_over(later, labels) for labels in predicted)]
        lines.append(_beside([_to_height(cell, height) for cell in cells]))
    width = max(line.shape[1] for line in lines)
    lines = [np.pad(line, ((0, GAP), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines]
    sheet = Image.fromarray(np.concatenate([np.full((HEADER, width, 3), 255, np.uint8), *lines]))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for index, title in enumerate(titles):
        draw.text((index * (width + GAP) / len(titles) + 4, 2), title, fill=(40, 40, 40), font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def _rgb(frame: Tensor) -> UInt8[np.ndarray, "H W 3"]:
    return np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())


def _over(frame: np.ndarray, labels: Tensor | None) -> np.ndarray:
    return frame if labels is None else overlay(frame, labels.cpu().numpy())


def _to_height(image: np.ndarray, height: int) -> np.ndarray:
    width = round(image.shape[1] * height / image.shape[0])
    return cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    )


def _beside(cells: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((cells[0].shape[0], GAP, 3), 255, np.uint8)
    spaced = [part for cell in cells for part in (cell, gap)]
    return np.concatenate(spaced[:-1], axis=1)
