"""A list of videos with their masks as a CSV file."""

import codecs
import csv
import io
from pathlib import Path

from vosmem.errors import InputError
from vosmem.inputs.archive import unpacked
from vosmem.inputs.frame_range import FrameRange
from vosmem.inputs.open import VideoInput

SUFFIXES = (".csv", ".tsv", ".txt")
DELIMITERS = ",;\t"
REQUIRED, OPTIONAL = ("video", "mask"), ("name",)


def is_manifest(path: Path) -> bool:
    """Whether a path names a list of videos, not a video."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def read_manifest(
    path: Path,
    *,
    start: int | str | None = None,
    max_objects: int = 50,
    clean: bool = False,
    frames: FrameRange | None = None,
) -> tuple[list[VideoInput], dict[str, InputError]]:
    """Read a CSV file with the columns `video`, `mask` and optionally `name`; the keywords are those of `open_videos`.

    The columns are separated by commas, semicolons or tabs, and may be written in capitals.
    Paths are relative to the folder of the CSV file. A video without a name is called after its file or folder. Returns
    the videos in order, and the errors of the rows that cannot be used, by file name and line. Raises `InputError` if
    the file is missing, is no CSV, lacks a column or holds no row.
    """
    videos: dict[str, VideoInput] = {}
    errors: dict[str, InputError] = {}
    for line, row in _rows(path):
        try:
            name, video, masks = _parse(row, path.parent)
            if name in videos:
                raise InputError(f"the name {name!r} is taken by a row above: give another in the column 'name'")
            videos[name] = VideoInput(name, video, masks, False, start, max_objects, clean, chosen=frames)
        except InputError as error:
            errors[f"{path.name}:{line}"] = error
    return list(videos.values()), errors


def _rows(path: Path) -> list[tuple[int, dict[str | None, str | list[str] | None]]]:
    """The rows that are not empty, each with its line number."""
    try:
        text = _decode(path.read_bytes())
        first, _, rest = text.partition("\n")
        skipped = first.strip().lower().startswith("sep=")  # Excel names the separator in a line of its own
        header = rest.partition("\n")[0] if skipped else first
        delimiter = max(DELIMITERS, key=header.count)
        reader = csv.DictReader(io.StringIO(rest if skipped else text, newline=""), strict=True, delimiter=delimiter)
        columns = [column.strip().lower() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        if not set(REQUIRED) <= set(columns) <= {*REQUIRED, *OPTIONAL}:
            raise InputError(
                f"list {str(path)!r} begins with {', '.join(columns or ['nothing'])}: its first "
                f"line must be 'video,mask' or 'video,mask,name'"
            )
        rows = [(reader.line_num + skipped, row) for row in reader]
    except FileNotFoundError as error:
        raise InputError(f"list {str(path)!r} is missing: give a CSV file, or a video") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"list {str(path)!r} cannot be read as CSV ({error}): save it as UTF-8 with commas") from error
    if not rows:
        raise InputError(f"list {str(path)!r} holds no video: add a line for each below 'video,mask'")
    return rows


def _decode(data: bytes) -> str:
    """The text of a file in UTF-8, or in the UTF-16 of Excel."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig")


def _parse(row: dict[str | None, str | list[str] | None], folder: Path) -> tuple[str, Path, Path]:
    """Name, frames and masks of a row."""
    if None in row or None in row.values():
        raise InputError("the row has another number of fields than the first line: put names with commas in quotes")
    values = {key: str(value).strip() for key, value in row.items()}
    paths = []
    for column in REQUIRED:
        if not values[column]:
            raise InputError(f"the column {column!r} is empty: give a path")
        path = folder / values[column]
        if not path.exists() and "\\" in values[column]:
            path = folder / values[column].replace("\\", "/")  # written on Windows
        if not path.exists():
            raise InputError(f"{column} {str(path)!r} is missing: correct the path, which is relative to the list")
        paths.append(unpacked(path))
    video, mask = paths
    name = values.get("name") or (video.name if video.is_dir() else video.stem)
    if name in (".", "..") or any(letter in name for letter in "/\\\0"):
        raise InputError(f"the name {name!r} is no folder's name: give one without slashes in the column 'name'")
    return name, video, mask
