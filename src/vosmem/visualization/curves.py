"""Curves of a training run."""

from itertools import pairwise
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from natsort import natsorted

from vosmem.metrics.registry import score_names
from vosmem.visualization.figures import save_figure


def collect_metrics(output_dir: Path) -> pd.DataFrame | None:
    """Merge the logs below `csv/` of a run and its resumptions; the later of two logs of a step counts.

    Returns:
        rows ordered by step, or None if nothing was logged.
    """
    logs = [path for path in natsorted((output_dir / "csv").glob("*/metrics.csv")) if path.stat().st_size]
    if not logs:
        return None
    tables = [pd.read_csv(path) for path in logs]
    kept = [_until(table, later) for table, later in pairwise(tables)]
    return pd.concat([*kept, tables[-1]], ignore_index=True).sort_values("step", kind="stable")


def _until(table: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """The part of a log before the first step of a later log, and the values of that step that the later log lacks."""
    first = later["step"].min()
    again = later[later["step"] == first].drop(columns=["step", "epoch"], errors="ignore").notna().any()
    columns = [name for name in again.index[again] if name in table]
    return table[(table["step"] < first) | ((table["step"] == first) & table[columns].isna().all(axis=1))]


def plot_curves(metrics: pd.DataFrame, path: Path) -> Path:
    """Write a PNG of loss and J&F over the steps, side by side."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    loss = metrics[["step", "train/loss"]].dropna() if "train/loss" in metrics else pd.DataFrame()
    if len(loss):
        left.plot(loss["step"], loss["train/loss"], color="0.8", linewidth=1, label="as logged")
        window = max(1, len(loss) // 20)
        left.plot(
            loss["step"], loss["train/loss"].rolling(window, min_periods=1).mean(), color="C0", label="running mean"
        )
        left.legend(frameon=False)
    left.set(title="training loss", xlabel="step", ylabel="loss")
    styles = dict.fromkeys(score_names(), "--") | {"J&F": "C3-o", "J": "C0--", "F": "C2--"}
    for name, style in styles.items():
        column = f"val/{name}"
        if column in metrics:
            scores = metrics[["step", column]].dropna()
            right.plot(scores["step"], 100 * scores[column], style, markersize=4, label=name)
    right.set(title="validation", xlabel="step", ylabel="percent")
    if right.lines:
        right.legend(frameon=False)
    return save_figure(figure, path)
