"""Plot of a frame's time against memory, objects and size, and by part of the network."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vosmem.visualization.figures import save_figure

PARTS = {"encode ms": "C0", "read ms": "C1", "decode ms": "C2", "memorize ms": "C4"}


def plot_benchmark(figures: pd.DataFrame, path: Path) -> Path:
    """Write a PNG with lines over each varied axis, and bars of the parts, from the rows of `time_engine`."""
    figures = figures.assign(megapixels=figures["width"] * figures["height"] / 1e6)
    axes_of = {"T": "frames in memory (T)", "K": "objects (K)", "megapixels": "megapixels"}
    varied = [column for column in axes_of if figures[column].nunique() > 1] or ["T"]
    figure = Figure(figsize=(4.2 * (len(varied) + 1), 3.8), layout="constrained")
    panels = figure.subplots(1, len(varied) + 1, squeeze=False)[0]
    for panel, column in zip(panels, varied, strict=False):
        _lines(panel, figures, column, [other for other in axes_of if other != column])
        panel.set(
            xlabel=axes_of[column], ylabel="milliseconds a frame", ylim=(0, 1.4 * panel.dataLim.ymax)
        )  # room for the legend
    _bars(panels[-1], figures)
    return save_figure(figure, path, grid="y")


def _lines(panel: Axes, figures: pd.DataFrame, column: str, others: list[str]) -> None:
    """One line an implementation, over the cases that differ only in one column; its floor is dotted."""
    base = figures.iloc[0]
    alike = figures[(figures[others] == base[others]).all(axis=1)].sort_values(column)
    for index, name in enumerate(figures["implementation"].unique()):
        own = alike[alike["implementation"] == name]
        panel.plot(own[column], own["median ms"], f"C{index}-o", markersize=4, label=name)
        if own["floor ms"].notna().all():
            panel.plot(own[column], own["floor ms"], f"C{index}:", linewidth=1, label=f"{name}, floor")
    if column != "megapixels":
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)


def _bars(panel: Axes, figures: pd.DataFrame) -> None:
    """Time by part in the first case, for implementations that report it."""
    base = figures.iloc[0][["K", "T", "width", "height"]]
    own = figures[(figures[list(base.index)] == base).all(axis=1)].dropna(subset=list(PARTS))
    bottom = pd.Series(0.0, index=own.index)
    for part, colour in PARTS.items():
        panel.bar(own["implementation"], own[part], bottom=bottom, width=0.6, color=colour, label=part.split()[0])
        bottom = bottom + own[part]
    panel.set(title=f"K = {base['K']}, T = {base['T']}", ylabel="milliseconds a frame")
    panel.set_xlim(-0.6, max(1.4, len(own) - 0.4))
    panel.legend(frameon=False, fontsize=8)
