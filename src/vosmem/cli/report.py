"""`vosmem report`: tables and figures from the folders of finished runs."""

import argparse
from pathlib import Path

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console
from vosmem.cli.sweeps import write_sweep

CONSOLE = plain_console()
EXAMPLES = """examples:
  vosmem report sweep outputs/sweeps/evaluate/RUN
  vosmem report percentiles first=RUN_DIR "every 5"=RUN_DIR
  vosmem report strip first=RUN_DIR "every 5"=RUN_DIR --sequence camel
  vosmem report paper --scores OURS.yaml"""


def run(arguments: list[str]) -> None:
    """Run the subcommand."""
    parser = Parser(
        prog="vosmem report",
        description="Tables and figures from finished runs.",
        epilog=EXAMPLES,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sweep = commands.add_parser("sweep", help="table and plot of a multirun, or of any folder of runs")
    sweep.add_argument("folder", type=Path, metavar="DIR")
    sweep.set_defaults(run=lambda options: write_sweep(options.folder, CONSOLE))

    percentiles = commands.add_parser("percentiles", help="J of every object and frame, sorted (the paper's Figure 7)")
    _add_runs(percentiles, Path("percentiles.png"))
    percentiles.set_defaults(run=_percentiles)

    strip = commands.add_parser("strip", help="the same frames segmented by several runs (the paper's Figure 6)")
    _add_runs(strip, Path("strip.png"))
    strip.add_argument("--sequence", required=True, help="name of the sequence")
    strip.add_argument(
        "--frames", type=_numbers, default=[], metavar="N,N", help="frame indices (default: five, evenly spaced)"
    )
    strip.add_argument("--height", type=int, default=160, help="height of a frame, in pixels (default: 160)")
    strip.set_defaults(run=_strip)

    paper = commands.add_parser("paper", help="the paper's tables with your scores, as Markdown")
    paper.add_argument("--scores", type=Path, metavar="FILE", help="YAML: table2: {ROW: {J: 80.1, F: 81.0}}")
    paper.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: the terminal)")
    paper.set_defaults(run=_paper)

    options = parser.parse_args(arguments)

    from vosmem.files import unwritable

    try:
        options.run(options)
    except OSError as error:
        raise unwritable(error, Path(), "name another --output") from error


def _add_runs(parser: argparse.ArgumentParser, output: Path) -> None:
    parser.add_argument("runs", nargs="+", type=_named, metavar="[NAME=]DIR", help="folders of vosmem evaluate")
    parser.add_argument("--output", type=Path, default=output, metavar="FILE", help=f"(default: {output})")


def _named(text: str) -> tuple[str, Path]:
    name, separator, folder = text.rpartition("=")
    return (name, Path(folder)) if separator else (Path(text).name, Path(text))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _percentiles(options: argparse.Namespace) -> None:
    import numpy as np

    from vosmem.evaluation.finished import finished_scores
    from vosmem.visualization.percentiles import plot_percentiles

    values = {
        name: np.concatenate([score.values["J"] for score in finished_scores(path)]) for name, path in options.runs
    }
    CONSOLE.print(plot_percentiles(values, options.output))


def _strip(options: argparse.Namespace) -> None:
    from vosmem.commands.report import strip

    CONSOLE.print(strip(dict(options.runs), options.sequence, options.frames, options.output, options.height))


def _paper(options: argparse.Namespace) -> None:
    from vosmem.evaluation.paper import paper_tables

    text = paper_tables(options.scores)
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
        CONSOLE.print(options.output)
