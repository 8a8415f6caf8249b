"""`vosmem segment`."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vosmem.cli.arguments import Group, Parser, add_mask_option, add_network_options, add_reading_options
from vosmem.cli.printing import plain_console
from vosmem.cli.prompts import add_prompt_options, joined

if TYPE_CHECKING:
    from vosmem.segmentation.video import VideoProgress, VideoResult

EXAMPLES = """examples:
  vosmem segment video.mp4 --mask first.png --output out
  vosmem segment frames/ --box 120,80,300,260 --output out
  vosmem segment frames/ --points '210,150;190,180' --not-points 130,90 --output out
  vosmem segment DAVIS/ --output out --direction both --weights last.ckpt
  vosmem segment video.mp4 --mask first.png --output out --write overlay,prores,coco
  vosmem segment camera:0 --frames :300 --box 120,80,300,260 --output out
  vosmem segment videos.csv --output out --engine processes --workers 4"""
SECONDS_BETWEEN_LINES = 10.0
MEMORIES = files("vosmem.conf") / "memory"


def run(arguments: list[str]) -> None:
    """Segment a user's videos; exit with 1 if one of several fails."""
    options = make_parser().parse_args(joined(arguments))
    console = plain_console()

    from vosmem.commands.segmentation import segment

    failed = False
    with _progress(console) as on_progress:
        for name, outcome in segment(options, on_progress):
            if isinstance(outcome, Exception):
                failed = True
                print(f"vosmem: video {name!r}: {outcome}", file=sys.stderr)
            else:
                console.print(_summary(name, outcome))
                for note in outcome.notes:
                    if note.warns:
                        print(f"vosmem: warning: video {name!r}: {note}", file=sys.stderr)
    if failed:
        sys.exit(1)


def make_parser() -> argparse.ArgumentParser:
    """The parser with all options."""
    parser = Parser(
        prog="vosmem segment",
        description="Segment the objects of a mask in a video; writes masks, an overlay video, tables and a page.",
        epilog=EXAMPLES,
    )
    videos = "a video, its frames, or a folder, data set or list (CSV) of videos"
    folder = "output folder; with a sub-folder for each of several videos"
    parser.add_argument("input", type=Path, metavar="INPUT", help=videos)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help=folder)
    what = parser.add_argument_group("objects")
    add_mask_option(what)
    add_prompt_options(what)
    add_reading_options(what)
    _add_network(parser.add_argument_group("network"))
    _add_memory(parser.add_argument_group("memory"))
    _add_written(parser.add_argument_group("output files"))
    _add_workers(parser.add_argument_group("workers for several videos"))
    return parser


def _add_network(group: Group) -> None:
    add_network_options(group)
    size = "largest short side for the network; 0 for the frames' own (default: the network's, which may enlarge them)"
    zoom = "enlarge small objects up to N times; 1 for whole frames (default: the network's, otherwise 2)"
    top_k = "attend only to the K most similar memory cells; 0 for all"
    direction = "from the masks to later frames, to earlier frames, or both (default: forward)"
    directions = ("forward", "backward", "both")
    group.add_argument("--size", type=int, metavar="N", help=size)
    group.add_argument("--zoom", type=float, metavar="N", help=zoom)
    group.add_argument("--flip", action="store_true", help="average with mirrored frames, which takes twice as long")
    group.add_argument("--top-k", type=int, metavar="K", help=top_k)
    group.add_argument("--direction", default="forward", choices=directions, help=direction)


def _add_memory(group: Group) -> None:
    memories = sorted(path.name.removesuffix(".yaml") for path in MEMORIES.iterdir())
    memory = "which frames are memorised; those with a given mask always are, except for previous (default: every_n)"
    last = "also read the previous frame, for every_n and adaptive (default: the network's)"
    frames = "largest number of frames in memory (default: 32, unless the policy or --memory-budget limits it)"
    budget = "largest size of the memory (default: an eighth to a quarter of the free memory, unless limited as above)"
    group.add_argument("--memory", default="every_n", choices=memories, help=memory)
    group.add_argument("--interval", type=int, metavar="N", help="memorise every N-th frame, for every_n (default: 5)")
    group.add_argument("--include-last", action=argparse.BooleanOptionalAction, help=last)
    group.add_argument("--max-frames", type=int, metavar="N", help=frames)
    group.add_argument("--memory-budget", type=float, metavar="MB", help=budget)


def _add_written(group: Group) -> None:
    group.add_argument(
        "--write",
        type=lambda text: text.split(","),
        default=["overlay", "report"],
        metavar="FORMATS",
        help="what to write in addition to masks and tables, separated by commas: overlay, report, objects, "
        "probabilities; cutouts, prores, webm, matte, green-screen; coco, youtube-vis, yolo, cvat, label-studio, "
        "labelme, images; or masks for nothing else (default: overlay,report)",
    )


def _add_workers(group: Group) -> None:
    engine = "this process, several processes of this machine, or a Ray cluster (default: here)"
    workers = "number of workers (default: one for each GPU; otherwise 2, or as many as fit on Ray)"
    threads = "threads of a worker (default: its share of the CPUs; on Ray 1)"
    address = "address of the Ray cluster (default: one on this machine)"
    group.add_argument("--engine", default="here", choices=("here", "processes", "ray"), help=engine)
    group.add_argument("--workers", type=int, metavar="N", help=workers)
    group.add_argument("--threads", type=int, metavar="N", help=threads)
    group.add_argument("--address", metavar="HOST:PORT", help=address)


def _summary(name: str, result: "VideoResult") -> str:
    notes = [f"  note: {note}" for note in result.notes if not note.warns]
    if result.skipped:
        return "\n".join([f"{name}: done already, {result.folder}", *notes])
    rate = result.num_frames / max(result.seconds, 1e-9)
    frames = len({check.t for check in result.checks})
    line = f"{name}: {result.num_frames} frames, {rate:.1f} frames/s, {frames} frames to check, {result.folder}"
    limits = f" (limit: {result.memory_limits})" if result.memory_limits else ""
    memory = f"  frames in memory: {result.memory_frames}, {result.memory_bytes / 2**20:.0f} MB{limits}"
    continued = [f"  continued after frame {result.num_done_before}"] if result.num_done_before else []
    return "\n".join([line, memory, *continued, *notes])


@contextmanager
def _progress(console: Console) -> Iterator["_ProgressReport"]:
    name, speed = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[speed]}"))
    columns = name, BarColumn(), speed, TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _ProgressReport(console, bars)


class _ProgressReport:
    """Reports the progress of each video: a bar in a terminal, otherwise a line every few seconds."""

    def __init__(self, console: Console, bars: Progress) -> None:
        self.console, self.bars = console, bars
        self.name, self.started, self.printed = "", 0.0, 0.0
        self.first = 0
        self.task: TaskID | None = None

    def __call__(self, name: str, progress: "VideoProgress") -> None:
        now = time.monotonic()
        if name != self.name:
            self.name, self.started, self.printed = name, now, now
            self.first = progress.done  # above 1 if an interrupted run is continued
            if self.task is not None:
                self.bars.remove_task(self.task)
            self.task = None
        rate = (progress.done - self.first) / max(now - self.started, 1e-9)
        text = f"{progress.done}/{progress.total}, {rate:.1f}/s, memory {progress.memory_bytes / 2**20:.0f} MB"
        if self.task is None:
            self.task = self.bars.add_task(name, total=progress.total, speed=text)
        self.bars.update(self.task, completed=progress.done, speed=text)
        if not self.console.is_terminal and now - self.printed >= SECONDS_BETWEEN_LINES:
            self.printed = now
            self.console.print(f"{name}: {text}")
