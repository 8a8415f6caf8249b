"""Argument parser that refuses repeated options and accepts files whose names start with a dash."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosmem.errors import InputError

if TYPE_CHECKING:
    from vosmem.inputs.frame_range import FrameRange

MASK_HELP = "an image, annotations, npy, npz, a video, or a folder or zip of them"
FRAMES_HELP = "only these frames, by index from 0, without B"


def frame_range(text: str) -> "FrameRange":
    """Read the value of `--frames`; ArgumentTypeError if it is no range."""
    from vosmem.inputs.frame_range import FrameRange

    try:
        return FrameRange.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class Parser(argparse.ArgumentParser):
    """A parser that refuses a repeated option of one value, and accepts files with names such as `-x.mp4`.

    Raises:
        InputError: an option is given twice.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
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
