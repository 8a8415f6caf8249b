"""`vosmem doctor`."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vosmem.cli.arguments import Parser, add_engine_options, add_mask_option, add_reading_options
from vosmem.cli.prompts import add_prompt_options, joined
from vosmem.errors import InputError
from vosmem.files import write_text
from vosmem.inputs.doctor import Diagnosis, VideoDiagnosis, inspect
from vosmem.inputs.wording import counted

if TYPE_CHECKING:
    from vosmem.commands.estimates import Estimate

SHOWN = 12


def run(arguments: list[str]) -> None:
    """Check an input; exit with 1 if a run would fail."""
    parser = Parser(
        prog="vosmem doctor",
        description="Describe a video and its masks, report problems, and list what a run would write.",
        epilog="exit status: 0 if a run would succeed, 1 if it would fail. The network of first masks is "
        "loaded only for boxes, points and strokes.\n\nexample: vosmem doctor video.mp4 --mask first.png",
    )
    parser.add_argument(
        "input", type=Path, metavar="INPUT", help="a video, frames, a folder of either, a data set, a list (CSV)"
    )
    add_mask_option(parser)
    add_reading_options(parser)
    add_prompt_options(parser.add_argument_group("objects without a mask"))
    add_engine_options(parser)
    parser.add_argument("--thorough", action="store_true", help="decode every frame instead of reading headers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the findings as JSON")
    options = parser.parse_args(joined(arguments))

    diagnosis = _inspect(options) if options.prompts is None else _inspect_first_mask(options)
    console = Console(soft_wrap=True, highlight=False)
    for video in diagnosis.videos:
        _print_video(console, video, alone=len(diagnosis.videos) == 1)
    _print_end(console, diagnosis)
    if options.json is not None:
        try:
            write_text(options.json, json.dumps(_as_json(diagnosis), indent=1) + "\n")
        except OSError as error:
            raise InputError(
                f"{str(options.json)!r} cannot be written ({error.strerror}): name another file"
            ) from error
    sys.exit(0 if diagnosis.works else 1)


def _inspect(options: Namespace) -> Diagnosis:
    return inspect(
        options.input,
        options.mask,
        start=options.start,
        max_objects=options.max_objects,
        clean=options.clean_masks,
        frames=options.frames,
        thorough=options.thorough,
    )


def _inspect_first_mask(options: Namespace) -> Diagnosis:
    """Make the first mask as a run would, and add its notes, which hold its predicted quality."""
    from vosmem.commands.first_masks import first_mask_file

    with TemporaryDirectory() as folder:
        try:
            mask, start, notes = first_mask_file(options, Path(folder))
        except InputError as error:
            return Diagnosis(problems=[str(error)])
        diagnosis = _inspect(Namespace(**{**vars(options), "mask": mask, "start": start}))
    for video in diagnosis.videos:
        video.masks = "boxes, points or strokes"
        video.notes = [*video.notes, *notes]
    return diagnosis


def _print_video(console: Console, video: VideoDiagnosis, alone: bool) -> None:
    console.print(f"[bold]{escape(video.name)}[/bold]  {escape(video.source)}")
    if video.num_frames:
        width, height = video.size
        rate = "" if video.rate is None else f", {video.rate:.4g} frames/s"
        ends = f"{video.first} ... {video.last}" if video.num_frames > 1 else video.first
        console.print(f"  frames   {video.num_frames} of {width}x{height}{rate}: {escape(ends)}")
    if video.masks:
        kinds = sorted({record.kind for record in video.records})
        console.print(
            f"  masks    {len(video.records)} in {escape(video.masks)} ({', '.join(kinds) or 'none readable'})"
        )
    if video.given_at:
        console.print(_objects(video))
        used = video.masks_used
        more = f" ... ({len(used)} in all)" if len(used) > SHOWN else ""
        console.print(f"  used     {escape(', '.join(used[:SHOWN]))}{more}")
        folder = "OUT" if alone else f"OUT/{video.name}"
        mode = "16-bit grey" if video.wide_ids else "palette"
        files = f"{mode}, {counted(video.num_frames, 'file')}"
        console.print(f"  writes   {escape(folder)}/masks/{escape(video.first)}.png ... ({files})")
        needs = [f"{_time(own.seconds)}, {own.memory_bytes / 2**20:.0f} MB ({own.model})" for own in _estimates(video)]
        console.print(f"  takes    about {' or '.join(needs)} here, with every 5th frame kept")
    for note in video.notes:
        label = "[bold yellow]warning[/bold yellow]  " if note.warns else "[yellow]note[/yellow]     "
        console.print(f"  {label}{escape(note)}")
    for problem in video.problems:
        console.print(f"  [red]problem[/red]  {escape(problem)}")


def _objects(video: VideoDiagnosis) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "object", "first given at", "pixels there", "masks"):
        table.add_column(column, justify="left" if column in ("", "first given at") else "right")
    areas = {record.t: record.areas for record in video.records}
    for row, (number, t) in enumerate(list(video.given_at.items())[:SHOWN]):
        holding = sum(number in record.areas for record in video.records)
        table.add_row("  objects" if row == 0 else "", str(number), f"frame {t}", str(areas[t][number]), str(holding))
    if len(video.given_at) > SHOWN:
        table.add_row("", "...", f"{len(video.given_at)} in all")
    return table


def _estimates(video: VideoDiagnosis) -> "list[Estimate]":
    from vosmem.commands.estimates import estimates

    return estimates(video) if video.given_at else []


def _as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    content = diagnosis.as_json()
    for video, own in zip(diagnosis.videos, content["videos"], strict=True):
        own["estimates"] = [estimate._asdict() for estimate in _estimates(video)]
    return content


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print_end(console: Console, diagnosis: Diagnosis) -> None:
    for problem in diagnosis.problems:
        console.print(f"[red]problem[/red]  {escape(problem)}")
    broken = sum(bool(video.problems) for video in diagnosis.videos)
    if diagnosis.works:
        console.print(f"[green]a run would go through[/green] ({counted(len(diagnosis.videos), 'video')})")
    elif diagnosis.videos:
        broken += len(diagnosis.problems)  # rows of a list that name no video
        total = counted(len(diagnosis.videos) + len(diagnosis.problems), "video")
        console.print(f"[red]a run would fail[/red] for {broken} of {total}")
