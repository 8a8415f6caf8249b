"""What every annotation file is read as: shapes of frames, and the reasons why others are left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.regions import Region
from vosmem.errors import InputError
from vosmem.inputs.wording import counted, listed

MAX_PIXELS = 2**28
# What json, ElementTree and reading their content raise if a file has another structure.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


class Shape(NamedTuple):
    """The region of an object in one frame."""

    frame: str | int  # stem of the frame, or its index from 0
    size: tuple[int, int] | None  # height and width of the annotated image; None for those of the frame
    region: Region
    track: int | str | None = None  # who the object is, over all frames
    label: str | None = None  # its category
    depth: float = 0.0  # shapes with the least depth are drawn first


@dataclass
class Annotations:
    """The content of one annotation file."""

    kind: str  # name of the format
    key: str  # of the identity of objects, in messages
    noun: str  # for one entry, in messages
    shapes: list[Shape] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)  # stems of annotated frames without a shape
    left_out: list[str] = field(default_factory=list)  # reasons
    notes: list[Note] = field(default_factory=list)

    @contextmanager
    def entry(self, name: object) -> Iterator[None]:
        """Read one entry; one that is malformed is left out with its reason."""
        try:
            yield
        except MALFORMED as error:
            self.left_out.append(f"{self.noun} {name}: {reason(error)}")

    def note_left_out(self, path: Path) -> list[Note]:
        """The note on the entries that are left out."""
        if not self.left_out:
            return []
        entries, are = counted(len(self.left_out), self.noun), "is" if len(self.left_out) == 1 else "are"
        return [Decision.ENTRIES_LEFT_OUT.note(entries=entries, file=path.name, are=are, reasons=listed(self.left_out))]


def checked_size(height: Any, width: Any) -> tuple[int, int]:
    """Height and width of an annotated image; ValueError if they are missing or too large."""
    try:
        height, width = int(height), int(width)
    except (TypeError, ValueError) as error:
        raise ValueError("height and width of an image are missing") from error
    if min(height, width) < 1:
        raise ValueError("height and width of an image are missing")
    if height * width > MAX_PIXELS:
        raise ValueError(f"an image of {width}x{height} is too large")
    return height, width


def numbered(value: Any) -> int | str | None:
    """An identity as a number if it is one, in digits too; None if it is missing or negative.

    Example:
        >>> numbered("7"), numbered(3.0), numbered(" car "), numbered(-1), numbered("")
        (7, 3, 'car', None, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if text.isascii() and text.lstrip("-").isdigit():
        return int(text) if not text.startswith("-") else None
    return text or None


def stem_of(name: str) -> str:
    """The stem of a file name of any operating system; the file is never opened."""
    return PurePosixPath(str(name).replace("\\", "/")).stem


def reason(error: BaseException) -> str:
    """One line for what is wrong with an entry."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{text} is missing" if isinstance(error, KeyError) else text


def finite(values: Any) -> np.ndarray:
    """Numbers of a file as an array; ValueError if one is no finite number."""
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("a coordinate is no finite number")
    return numbers


def unusable(path: Path, kinds: str, error: BaseException) -> InputError:
    """The error for a file of another structure."""
    return InputError(f"annotations {str(path)!r} are no {kinds} ({reason(error)}): export them again")
