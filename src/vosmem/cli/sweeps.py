"""Print and write the results of a sweep."""

from pathlib import Path

from rich.console import Console

from vosmem.cli.printing import plain_console
from vosmem.errors import InputError


def after_sweep(folder: Path) -> None:
    """As `write_sweep`, but only print that no job left a result: the errors of the jobs are reported first."""
    console = plain_console()
    try:
        write_sweep(folder, console)
    except InputError as error:
        console.print(str(error))


def write_sweep(folder: Path, console: Console) -> None:
    """Write the table and the plot of a multirun into its folder, and print the table.

    Raises:
        InputError: no job left a result.
    """
    from vosmem.commands.sweeps import collect_sweep
    from vosmem.evaluation.tables import as_markdown, write_table
    from vosmem.visualization.sweep import plot_sweep

    table, varied = collect_sweep(folder)
    files = [*write_table(table, folder / "table.csv", varied), plot_sweep(table, varied, folder / "plot.png")]
    console.print("\n" + as_markdown(table, varied))
    for path in files:
        console.print(f"  {path}")
