"""The style of all plots, and their files."""

from pathlib import Path

from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path, grid: str | None = "both") -> Path:
    """Write a PNG without the upper and right border of its panels, and with grid lines of `grid` (x, y or both).

    The folder of the file is made. `Figure` needs no screen, unlike `matplotlib.pyplot`.
    """
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        if grid is not None:
            axes.grid(alpha=0.3, axis=grid)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path
