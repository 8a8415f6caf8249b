"""The options that select objects without a mask, of `vosmem segment` and `vosmem doctor`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vosmem.inputs.prompts import Prompt

CUTS = ("network", "grabcut")


def joined(arguments: Sequence[str]) -> list[str]:
    """Join `--box -5,0,50,50` with `=`, since argparse takes a value that begins with a minus for an option."""
    whole = list(arguments)
    for index in range(len(whole) - 1, 0, -1):
        if whole[index - 1] == "--box" and re.fullmatch(r"-\d+(,-?\d+){3}", whole[index]):
            whole[index - 1 : index + 1] = [f"--box={whole[index]}"]
    return whole


def add_prompt_options(group: "argparse._ArgumentGroup") -> None:
    """Add `--box`, `--points`, `--not-points` and `--scribble`, which fill the list `prompts`, and `--cut`."""
    box = "a box around an object instead of a mask; repeat it for each object"
    points = "points on an object instead of a mask; repeat it for each object"
    not_points = "points that are not on the object of the --box or --points before"
    strokes = "strokes instead of a mask: 1 on the object, 2 on the background; repeat it for each object"
    group.add_argument("--box", type=_box, action="append", dest="prompts", metavar="X0,Y0,X1,Y1", help=box)
    group.add_argument("--points", type=_points, action="append", dest="prompts", metavar="X,Y;...", help=points)
    group.add_argument(
        "--not-points", type=_points, action=_Exclude, dest="prompts", metavar="X,Y;...", help=not_points
    )
    group.add_argument("--scribble", type=Path, action="append", dest="prompts", metavar="PICTURE", help=strokes)
    add_cut_option(group)


def add_cut_option(group: "argparse._ArgumentGroup") -> None:
    """Add `--cut`."""
    group.add_argument(
        "--cut",
        default="network",
        type=_cut,
        metavar="network|grabcut|sam:WEIGHTS",
        help="how box, points or strokes become a mask: GrabCut refined by the network, GrabCut, or SAM 2 or EdgeTAM "
        "of transformers with the weights in a folder (default: network)",
    )


class _Exclude(argparse.Action):
    """Add points that are not on the last object."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        before = namespace.prompts or [None]
        if not isinstance(before[-1], Prompt):
            parser.error("--not-points has no --box or --points before it: give the object first")
        not_points = before[-1].not_points + values.points
        namespace.prompts = [*before[:-1], before[-1]._replace(not_points=not_points)]


def _cut(text: str) -> str:
    if text not in CUTS and not text.startswith("sam:"):
        raise argparse.ArgumentTypeError(f"{text!r} is unknown: use {', '.join(CUTS)} or sam:WEIGHTS")
    return text


def _box(text: str) -> Prompt:
    try:
        x0, y0, x1, y1 = (int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a box: give four whole numbers, x0,y0,x1,y1") from None
    return Prompt(box=(x0, y0, x1, y1))


def _points(text: str) -> Prompt:
    points = []
    for point in text.split(";"):
        try:
            x, y = map(float, point.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no list of points: give x,y, or 'x,y;x,y' in quotes"
            ) from None
        points.append((x, y))
    return Prompt(points=tuple(points))
