"""What the memory holds over a video."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vosmem.memory.trace import Moment

matplotlib.use("agg")  # runs have no screen


def draw_memory(moments: Sequence[Moment], threshold: float | None = None) -> Figure:
    """Which frames are in memory at each frame; below it the gate's word, the objects' variation, where there is any.

    Args:
        moments: of a video, in order; at least one.
        threshold: of an adaptive memory, in [0, 1].
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
    """As `draw_memory`, written as a PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_memory(moments, threshold).savefig(path, dpi=120)
    return path


def _draw_frames(panel: Axes, moments: Sequence[Moment]) -> None:
    """A point for each frame in memory (upwards) at each frame of the video."""
    stays = {moment.t for moment in moments if moment.kept}
    pairs = [(moment.t, held) for moment in moments for held in moment.held]
    for kept, colour, label in ((True, "C0", "kept"), (False, "C1", "the one before alone")):
        own = [(t, held) for t, held in pairs if (held in stays) == kept]
        if own:
            panel.scatter(*zip(*own, strict=True), s=9, marker="s", color=colour, linewidths=0, label=label)
    given = [moment.t for moment in moments if moment.mask_given]
    panel.scatter(given, given, s=30, marker="D", color="C3", label="mask given", zorder=3)
    panel.set(ylabel="frame in memory")
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_count(panel: Axes, moments: Sequence[Moment]) -> None:
    panel.step(*zip(*((m.t, len(m.held)) for m in moments), strict=True), where="mid", color="C0", label="in memory")
    panel.scatter(
        *zip(*((m.t, m.stay) for m in moments if m.stay is not None), strict=True), s=12, color="C4", label="gate"
    )
    panel.set(ylabel="frames")
    panel.set_ylim(bottom=0)


def _draw_variation(panel: Axes, moments: Sequence[Moment]) -> None:
    own = [(moment.t, moment.variation) for moment in moments if moment.variation is not None]
    kept = [(moment.t, moment.variation) for moment in moments if moment.variation is not None and moment.kept]
    panel.plot(*zip(*own, strict=True), color="C2", linewidth=1, label="variation")
    if kept:
        panel.scatter(*zip(*kept, strict=True), s=14, color="C0", label="kept", zorder=3)
    panel.set(ylabel="variation", ylim=(0, 1))
