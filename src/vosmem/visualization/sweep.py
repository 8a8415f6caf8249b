"""Plot of a sweep: scores, time and memory over the varied values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from vosmem.metrics.registry import score_names
from vosmem.visualization.figures import save_figure

SCORES = {"J&F": "C3", "J": "C0", "F": "C2", "G": "C4", "after training": "C3", "first mask copied": "0.7"}
MOST_TICKS = 12
AXIS = {"percent": "percent (higher is better)", "ms a frame": "ms a frame (lower is better)"}
COSTS = ("ms a frame", "memory MB", "frames in memory", "kept of 100")


def plot_sweep(table: pd.DataFrame, varied: Sequence[str], path: Path) -> Path:
    """Write a PNG with a panel of scores and one for each cost: lines over a swept number, bars over other values.

    If a row of the table averages several draws, a whisker spans their least and greatest score.

    The table has one row a job; `varied` are the columns that differ between jobs.
    """
    scores = [column for column in dict.fromkeys((*score_names(), *SCORES)) if column in table]
    costs = [column for column in COSTS if column in table]
    figure = Figure(figsize=(5.5 * (1 + len(costs)), 3.8), layout="constrained")
    panels = figure.subplots(1, 1 + len(costs), squeeze=False)[0]
    swept = varied[0] if len(varied) == 1 and is_numeric_dtype(table[varied[0]]) else None
    for axes, columns, label in zip(panels, (scores, *([cost] for cost in costs)), ("percent", *costs), strict=True):
        if swept is None:
            _bars(axes, table, varied, columns)
            axes.set_xlabel(AXIS.get(label, label))
        else:
            _lines(axes, table.sort_values(swept), swept, columns)
            axes.set(xlabel=swept, ylabel=AXIS.get(label, label))
            if label in COSTS:
                axes.set_ylim(bottom=0)
    if len(scores) > 1:
        panels[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))  # rows: the names are long
    return save_figure(figure, path, grid=None if swept is None else "both")


def _lines(axes: Axes, table: pd.DataFrame, swept: str, columns: Sequence[str]) -> None:
    for column in columns:
        colour = SCORES.get(column, "C1")
        spread, label = _spread(table, column)
        axes.errorbar(
            table[swept], table[column], yerr=spread, fmt="-o", color=colour, markersize=4, capsize=4, label=label
        )
    values = table[swept]
    if values.min() > 0 and values.max() >= 8 * values.min():  # such as 1, 2, 5, 10: the small ones would overlap
        axes.set_xscale("log")
    if len(values) <= MOST_TICKS:
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()


def _bars(axes: Axes, table: pd.DataFrame, varied: Sequence[str], columns: Sequence[str]) -> None:
    names = [", ".join(str(value) for value in row) for row in table[list(varied)].itertuples(index=False)]
    height = 0.8 / max(1, len(columns))
    for index, column in enumerate(columns):
        at = [row + (index - (len(columns) - 1) / 2) * height for row in range(len(names))]
        spread, label = _spread(table, column)
        whiskers = {"ecolor": "0.2", "capsize": 3}
        colour = SCORES.get(column, "C1")
        bars = axes.barh(at, table[column], height, xerr=spread, color=colour, label=label, error_kw=whiskers)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)


def _spread(table: pd.DataFrame, column: str) -> tuple[np.ndarray | None, str]:
    """Distances of the least and greatest draw from the mean, (2, rows), or None without draws, and the legend."""
    ends = [f"{column} least", f"{column} greatest"]
    if not set(ends) <= set(table):
        return None, column
    return np.stack(
        [(table[end] - table[column]).abs().fillna(0) for end in ends]
    ), f"{column} (mean, least to greatest)"
