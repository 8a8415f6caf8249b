"""The first mask of `vosmem segment` and `vosmem doctor`, made from boxes, points or strokes on the command line."""

from argparse import Namespace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vosmem.commands.common import pick_device
from vosmem.data.decoding.images import read_labels
from vosmem.data.decoding.mask_files import read_mask
from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.prompts.first_mask import make_first_mask
from vosmem.inputs.grabcut import check_strokes, strokes_by_colour
from vosmem.inputs.open import open_videos
from vosmem.inputs.prompts import Prompt
from vosmem.inputs.scan import find_frame

FIRST_MASK = "first_mask.png"


def first_mask_file(options: Namespace, folder: Path) -> tuple[Path | None, int | str | None, tuple[Note, ...]]:
    """Return the given mask, its frame, and notes; a mask of prompts is made first, and written to the folder.

    Raises:
        InputError: a mask is given as well, there are several videos, a prompt cannot be used, or the folder holds
            another first mask.
    """
    if options.prompts is None:
        return options.mask, options.start, ()
    if options.mask is not None:
        raise InputError("--mask is given, and boxes, points or strokes: give one of them")
    found = open_videos(options.input, None, frames=options.frames)
    if len(found) > 1:
        raise InputError(f"boxes, points or strokes are given for {len(found)} videos: give one video, or masks")
    if options.input.is_dir() and folder.resolve().is_relative_to(options.input.resolve()):
        raise InputError(f"--output {folder} is in the input, where the first mask would be a frame: name another")
    frames = found[0].open_frames()
    t = find_frame(frames.frame_names, frames.indices[0] if options.start is None else options.start, frames.indices)
    frame = np.ascontiguousarray(frames.frame(t).permute(1, 2, 0).numpy())
    mask, notes = _make(options, frame)
    path = folder / FIRST_MASK
    if path.exists() and not np.array_equal(read_labels(path), mask):
        raise InputError(
            f"{str(path)!r} is there already, and is another mask: give it as --mask, remove it, or name another "
            "--output"
        )
    write_labels(path, mask)
    return path, frames.indices[t], notes


def _make(options: Namespace, frame: UInt8[np.ndarray, "H W 3"]) -> tuple[UInt8[np.ndarray, "H W"], tuple[Note, ...]]:
    prompts: list[Prompt] = []
    notes: list[Note] = []
    for given in options.prompts:
        prompt, decisions = _strokes(frame, given) if isinstance(given, Path) else (given, ())
        prompts.append(prompt)
        notes += decisions
    engine = Engine(pick_device(options.device), options.precision)
    first = make_first_mask(frame, prompts, engine, options.cut)
    return first.ids, (*notes, *first.notes)


def _strokes(frame: UInt8[np.ndarray, "H W 3"], path: Path) -> tuple[Prompt, tuple[Note, ...]]:
    """The prompt of a file of strokes, and what was decided about the strokes."""
    drawn = read_mask(path, max_objects=None)
    height, width = drawn.ids.shape
    if (height, width) != frame.shape[:2]:
        raise InputError(
            f"scribble {str(path)!r} has {width}x{height} pixels, the frame {frame.shape[1]}x{frame.shape[0]}: draw on "
            "the frame itself"
        )
    try:
        strokes, notes = strokes_by_colour(drawn)
        check_strokes(strokes)
    except InputError as error:
        raise InputError(f"scribble {str(path)!r}: {error}") from error
    return Prompt(strokes=strokes), notes
