"""What is printed and drawn when a sweep is over."""

from pathlib import Path

from rich.console import Console

from vosmem.errors import InputError


def after_sweep(folder: Path) -> None:
    """Write the table and the plot of a multirun into its folder, and print the table."""
    from vosmem.evaluation.sweeps import as_markdown, collect_sweep, write_table
    from vosmem.visualization.sweep import plot_sweep

    console = Console(soft_wrap=True, highlight=False)
    try:
        table, varied = collect_sweep(folder)
    except InputError as error:  # every job failed: what stopped them is the news
        console.print(str(error))
        return
    files = [*write_table(table, folder / "table.csv"), plot_sweep(table, varied, folder / "plot.png")]
    console.print("\n" + as_markdown(table))
    for path in files:
        console.print(f"  {path}")
