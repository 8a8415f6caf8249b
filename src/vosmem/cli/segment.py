"""`vosmem segment`."""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console

if TYPE_CHECKING:
    from vosmem.segmentation.video import VideoProgress, VideoResult

EXAMPLES = """examples:
  vosmem segment video.mp4 --mask first.png --output out
  vosmem segment frames/ --box 120,80,300,260 --output out
  vosmem segment DAVIS/ --output out --direction both --weights last.ckpt
  vosmem segment videos.csv --output out --engine processes --workers 4"""
SECONDS_BETWEEN_LINES = 10.0
MEMORIES = files("vosmem.conf") / "memory"


def run(arguments: list[str]) -> None:
    """Segment a user's videos; exits with 1 if one of several could not be done."""
    options = make_parser().parse_args(_joined(arguments))
    console = plain_console()

    from vosmem.commands.segmentation import segment

    failed = False
    with _shown(console) as on_progress:
        for name, outcome in segment(options, on_progress):
            if isinstance(outcome, Exception):
                failed = True
                print(f"vosmem: video {name!r}: {outcome}", file=sys.stderr)
            else:
                console.print(_told(name, outcome))
                for note in outcome.notes:
                    if note.warns:
                        print(f"vosmem: warning: video {name!r}: {note}", file=sys.stderr)
    if failed:
        sys.exit(1)


def _joined(arguments: list[str]) -> list[str]:
    """The arguments with `--box -5,0,50,50` in one: argparse takes what begins with a minus for an option."""
    joined = list(arguments)
    for place in range(len(joined) - 1, 0, -1):
        if joined[place - 1] == "--box" and re.fullmatch(r"-\d+(,-?\d+){3}", joined[place]):
            joined[place - 1 : place + 1] = [f"--box={joined[place]}"]
    return joined


def make_parser() -> argparse.ArgumentParser:
    """All options of the command line."""
    parser = Parser(
        prog="vosmem segment",
        description="Follow the objects of a mask through a video; writes masks, an overlay video, tables and a page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="a video, its frames, or a folder, data set or list (CSV) of videos")
    add("--output", type=Path, required=True, metavar="DIR", help="where to; of several videos each has a folder there")
    what = parser.add_argument_group("what to follow")
    what.add_argument("--mask", type=Path, metavar="PATH", help="a picture, a JSON file, or a folder of them")
    what.add_argument(
        "--box",
        type=_box,
        action="append",
        metavar="X0,Y0,X1,Y1",
        help="a box around an object instead of a mask; again for each further object",
    )
    what.add_argument(
        "--scribble", type=Path, metavar="PICTURE", help="strokes instead: 1 on the object, 2 on what is not the object"
    )
    what.add_argument(
        "--start", type=_frame, metavar="FRAME", help="number or name of the frame of mask, box or strokes"
    )
    what.add_argument("--max-objects", type=int, default=50, metavar="N", help="more are a mistake (default: 50)")
    what.add_argument("--clean-masks", action="store_true", help="take away what soft edges left in masks")
    _add_network(parser.add_argument_group("network"))
    _add_memory(parser.add_argument_group("memory"))
    _add_written(parser.add_argument_group("what is written"))
    _add_workers(parser.add_argument_group("several videos at a time"))
    return parser


def _add_network(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--weights", metavar="FILE", help="checkpoint, weights file, or published STM or STCN")
    group.add_argument("--model", metavar="NAME", help="weights that come with the package")
    group.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="(default: auto)")
    group.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"), help="(default: fp32)")
    group.add_argument("--size", type=int, metavar="N", help="shrink frames to this short side; 0 for their own")
    group.add_argument(
        "--zoom",
        type=float,
        metavar="N",
        help="look at small objects up to N times closer; 1 for whole frames (default: the network's, else 2)",
    )
    group.add_argument("--flip", action="store_true", help="average with mirrored frames; takes twice as long")
    group.add_argument("--top-k", type=int, metavar="K", help="most similar memory cells of each cell; 0 for all")
    group.add_argument(
        "--direction",
        default="forward",
        choices=("forward", "backward", "both"),
        help="from the masks on, back from them, or both (default: forward)",
    )


def _add_memory(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--memory",
        default="every_n",
        choices=sorted(path.name.removesuffix(".yaml") for path in MEMORIES.iterdir()),
        help="frames that are remembered; those with a given mask always are, but for previous (default: every_n)",
    )
    group.add_argument("--interval", type=int, metavar="N", help="of every_n (default: 5)")
    group.add_argument(
        "--include-last",
        action=argparse.BooleanOptionalAction,
        help="read the frame before, too, of every_n and adaptive (default: as the network was made)",
    )
    group.add_argument("--max-frames", type=int, metavar="N", help="most frames in memory; the oldest go first")
    group.add_argument("--memory-budget", type=float, metavar="MB", help="the same in megabytes")


def _add_written(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--soft-masks", action="store_true", help="probabilities/FRAME.npz")
    group.add_argument("--per-object", action="store_true", help="objects/ID/FRAME.png, 0 and 255")
    group.add_argument("--rle", action="store_true", help="annotations.json, all masks as COCO run lengths")
    group.add_argument("--no-overlay", action="store_true", help="no overlay.mp4")
    group.add_argument("--no-report", action="store_true", help="no report.html")


def _add_workers(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--engine",
        default="here",
        choices=("here", "processes", "ray"),
        help="one after the other in this process, in several of this machine, or on a Ray cluster (default: here)",
    )
    group.add_argument("--workers", type=int, metavar="N", help="(default: one a GPU; else 2, or as Ray has room)")
    group.add_argument("--threads", type=int, metavar="N", help="of a worker (default: its share; on Ray 1)")
    group.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster (default: this machine's)")


def _box(text: str) -> tuple[int, int, int, int]:
    try:
        x0, y0, x1, y1 = (int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no box: give four whole numbers, x0,y0,x1,y1") from None
    return x0, y0, x1, y1


def _frame(text: str) -> int | str:
    return int(text) if text.isdecimal() and text == str(int(text)) else text


def _told(name: str, result: "VideoResult") -> str:
    notes = [f"  note: {note}" for note in result.notes if not note.warns]
    if result.skipped:
        return "\n".join([f"{name}: done already, {result.folder}", *notes])
    rate = result.num_frames / max(result.seconds, 1e-9)
    frames = len({check.t for check in result.checks})
    told = f"{name}: {result.num_frames} frames, {rate:.1f} frames/s, {frames} frames to check, {result.folder}"
    return "\n".join([told, *notes])


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[str, "VideoProgress"], None]]:
    """What shows how far a video is: a bar in a terminal, else a line now and then."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    texts = [TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[speed]}")]
    columns = [texts[0], BarColumn(), texts[1], TimeRemainingColumn()]
    with Bar(*columns, console=console, transient=True) as bar:
        yield _Bars(bar)


class _Speed:
    """How fast a video goes."""

    def __init__(self) -> None:
        self.name, self.start = "", 0.0

    def restart(self, name: str) -> bool:
        """Whether it is another video than before."""
        if name == self.name:
            return False
        self.name, self.start = name, time.monotonic()
        return True

    def text(self, progress: "VideoProgress") -> str:
        rate = progress.done / max(time.monotonic() - self.start, 1e-9)
        return f"{progress.done}/{progress.total}, {rate:.1f}/s, memory {progress.memory_bytes / 2**20:.0f} MB"


class _Bars:
    def __init__(self, bar: Bar) -> None:
        self.bar, self.speed = bar, _Speed()
        self.task: TaskID | None = None

    def __call__(self, name: str, progress: "VideoProgress") -> None:
        if self.speed.restart(name):
            if self.task is not None:
                self.bar.remove_task(self.task)
            self.task = self.bar.add_task(name, total=progress.total, speed="")
        assert self.task is not None  # made for the first video
        self.bar.update(self.task, completed=progress.done, speed=self.speed.text(progress))


class _Lines:
    def __init__(self, console: Console) -> None:
        self.console, self.speed, self.last = console, _Speed(), 0.0

    def __call__(self, name: str, progress: "VideoProgress") -> None:
        if self.speed.restart(name):
            self.last = time.monotonic()
        if time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            self.console.print(f"{name}: {self.speed.text(progress)}")
