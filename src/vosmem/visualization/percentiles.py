"""Percentile curves of J for two or more policies, as in the paper's Figure 7."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from vosmem.visualization.figures import save_figure


def plot_percentiles(values: Mapping[str, Float64[np.ndarray, "_"]], path: Path) -> Path:
    """Write a PNG with a curve of sorted J for each policy; J in [0, 1] of each object and frame by name, none empty.

    Source:
        STM, Figure 7.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for index, (name, own) in enumerate(values.items()):
        label = f"{name} (mean {100 * own.mean():.1f})"
        axes.plot(np.linspace(0, 100, len(own)), 100 * np.sort(own), color=f"C{index}", label=label)
    axes.set(xlabel="percentile of objects and frames", ylabel="J, percent", xlim=(0, 100), ylim=(0, 100))
    axes.legend(frameon=False, loc="lower right")
    return save_figure(figure, path)
