"""The argument parser of the commands, and the options that several commands share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosmem.errors import InputError

if TYPE_CHECKING:
    from vosmem.inputs.frame_range import FrameRange

DEVICES, PRECISIONS = ("auto", "cpu", "cuda", "mps"), ("fp32", "bf16", "fp16")
Group = argparse.ArgumentParser | argparse._ArgumentGroup


def add_network_options(group: Group) -> None:
    """Add the options for the weights, and those of `add_engine_options`."""
    group.add_argument("--weights", metavar="FILE", help="checkpoint, weights file, or published STM or STCN")
    group.add_argument("--model", metavar="NAME", help="weights that come with the package")
    add_engine_options(group)


def add_engine_options(group: Group) -> None:
    """Add the options for how a network runs."""
    group.add_argument("--device", default="auto", choices=DEVICES, help="(default: auto)")
    group.add_argument("--precision", default="fp32", choices=PRECISIONS, help="(default: fp32)")


def add_mask_option(group: Group) -> None:
    """Add the option for the given masks."""
    masks = "an image, annotations, npy, npz, a video, or a folder or zip of them"
    group.add_argument("--mask", type=Path, metavar="PATH", help=masks)


def add_reading_options(group: Group) -> None:
    """Add the options for the frames that are used, and how masks are read."""
    frames = "only these frames, by index from 0, without B"
    start = "index or name of the frame of the only mask or prompt"
    objects = "largest number of objects; more are an error (default: 50)"
    group.add_argument("--frames", type=_frame_range, metavar="A:B[:STEP]", help=frames)
    group.add_argument("--start", type=_frame, metavar="FRAME", help=start)
    group.add_argument("--max-objects", type=int, default=50, metavar="N", help=objects)
    group.add_argument("--clean-masks", action="store_true", help="remove what soft edges left in masks")


def _frame(text: str) -> int | str:
    return int(text) if text.isdecimal() and text == str(int(text)) else text


def _frame_range(text: str) -> "FrameRange":
    """Read the value of `--frames`; ArgumentTypeError if it is no range."""
    from vosmem.inputs.frame_range import FrameRange

    try:
        return FrameRange.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """A parser that refuses a repeated option of one value, and accepts files with names such as `-x.mp4`.

    Description and examples are printed line by line as they are written.

    Raises:
        InputError: an option is given twice.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"formatter_class": argparse.RawDescriptionHelpFormatter, **kwargs})
        self.given: set[str] = set()
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As of argparse; existing files that look like options become paths."""
        self.given = set()
        return super().parse_known_args(None if args is None else [self._as_path(text) for text in args], namespace)

    def _as_path(self, text: str) -> str:
        looks_like_option = text.startswith("-") and text.split("=")[0] not in self._option_string_actions
        return f"./{text}" if looks_like_option and Path(text).exists() else text


class _StoreOnce(argparse.Action):
    """`store` of argparse, which refuses a second value instead of replacing the first."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Keep the value.

        Raises:
            InputError: the option has a value already.
        """
        if option_string is not None and self.dest in parser.given:
            raise InputError(f"{option_string} is given twice: give it once")
        parser.given.add(self.dest)
        setattr(namespace, self.dest, values)
