"""Figures of the notebooks: attention maps over memory frames, and the memory over a video."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vosmem.inference.propagation.memory_trace import Moment
from vosmem.ops.padding import STRIDE
from vosmem.visualization.contact_sheet import SheetRow

matplotlib.use("agg")  # plots are written to files

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


def draw_memory(moments: Sequence[Moment], threshold: float | None = None) -> Figure:
    """Plot the frames in memory at each frame, and below the gate's count and the objects' variation, if traced.

    Args:
        moments: trace of a video, in order; at least one.
        threshold: threshold of an adaptive memory, in [0, 1].
    """
    varied = [moment for moment in moments if moment.variation is not None]
    gated = [moment for moment in moments if moment.stay is not None]
    rows = [_draw_frames, *([_draw_count] if gated else []), *([_draw_variation] if varied else [])]
    heights = [2.2, *[1.0] * (len(rows) - 1)]
    figure = Figure(figsize=(8, 1.3 + 1.3 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, draw in zip(panels, rows, strict=True):
        draw(panel, moments)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.3)
        panel.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    if varied and threshold is not None:
        panels[-1].axhline(threshold, color="0.4", linestyle=":", linewidth=1)
    panels[-1].set_xlabel("frame")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def plot_memory(moments: Sequence[Moment], path: Path, threshold: float | None = None) -> Path:
    """Write the plot of `draw_memory` as a PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_memory(moments, threshold).savefig(path, dpi=120)
    return path


def _draw_frames(panel: Axes, moments: Sequence[Moment]) -> None:
    """One point for each frame in memory (y) at each frame of the video (x)."""
    stays = {moment.t for moment in moments if moment.kept}
    pairs = [(moment.t, held) for moment in moments for held in moment.held]
    for kept, colour, label in ((True, "C0", "kept"), (False, "C1", "previous frame only")):
        _points(panel, [pair for pair in pairs if (pair[1] in stays) == kept], colour, label, marker="s")
    _points(panel, [(m.t, m.t) for m in moments if m.mask_given], "C3", "mask given", marker="D", size=30)
    panel.set(ylabel="frame in memory")
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_count(panel: Axes, moments: Sequence[Moment]) -> None:
    times, counts = [moment.t for moment in moments], [len(moment.held) for moment in moments]
    panel.step(times, counts, where="mid", color="C0", label="in memory")
    _points(panel, [(m.t, m.stay) for m in moments if m.stay is not None], "C4", "gate: to keep")
    panel.set(ylabel="frames")
    panel.set_ylim(bottom=0)


def _draw_variation(panel: Axes, moments: Sequence[Moment]) -> None:
    varied = [(moment.t, moment.variation, moment.kept) for moment in moments if moment.variation is not None]
    panel.plot([t for t, _, _ in varied], [value for _, value, _ in varied], "C2", linewidth=1, label="variation")
    _points(panel, [(t, value) for t, value, kept in varied if kept], "C0", "kept")
    panel.set(ylabel="variation", ylim=(0, 1))


def _points(
    panel: Axes, points: Sequence[tuple[int, int | float]], colour: str, label: str, marker: str = "o", size: int = 12
) -> None:
    if points:
        x, y = zip(*points, strict=True)
        panel.scatter(x, y, s=size, marker=marker, color=colour, linewidths=0, label=label, zorder=3)
