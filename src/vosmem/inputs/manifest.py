"""Lists of videos and their masks, as tables."""

import csv
from pathlib import Path

from vosmem.errors import InputError
from vosmem.inputs.open import VideoInput

SUFFIX = ".csv"
NEEDED, OPTIONAL = ("video", "mask"), ("name",)


def is_manifest(path: Path) -> bool:
    """Whether a path names a list of videos rather than a video."""
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def read_manifest(
    path: Path, *, start: int | str | None = None, max_objects: int = 50, clean: bool = False
) -> tuple[list[VideoInput], dict[str, InputError]]:
    """Read a list of videos: CSV with a header and the columns `video`, `mask` and, where it is wanted, `name`.

    Paths are those of a video as `vosmem segment` takes it and of its masks, relative to the list's own folder. A video
    without a name has that of its file or folder.

    Args:
        path: the list.
        start: frame of each video's only mask, by number or by stem.
        max_objects: more objects than this in a video are taken for a mistake.
        clean: whether what anti-aliasing leaves at edges of masks is taken away.

    Returns:
        the videos, in the list's order, and what is wrong with the rows that cannot be used, by the row.

    Raises:
        InputError: the list is missing, no CSV, lacks a column or holds no row.
    """
    rows = _rows(path)
    videos: dict[str, VideoInput] = {}
    problems: dict[str, InputError] = {}
    for number, row in rows:
        try:
            name, frames, masks = _checked(row, path.parent)
            if name in videos:
                raise InputError(f"the name {name!r} is taken by a row above: give another in the column 'name'")
            videos[name] = VideoInput(name, frames, masks, False, start, max_objects, clean)
        except InputError as error:
            problems[f"{path.name}:{number}"] = error
    return list(videos.values()), problems


def _rows(path: Path) -> list[tuple[int, dict[str | None, str | list[str] | None]]]:
    """The rows that are not empty, each with the number of its line."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
            unknown = [column for column in reader.fieldnames or () if column not in NEEDED + OPTIONAL]
            if missing or unknown:
                raise InputError(
                    f"list {str(path)!r} begins with {', '.join(reader.fieldnames or ['nothing'])}: its first "
                    f"line must be 'video,mask' or 'video,mask,name'"
                )
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise InputError(f"list {str(path)!r} is missing: give a CSV file, or a video") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"list {str(path)!r} cannot be read as CSV ({error}): save it as UTF-8 with commas") from error
    if not rows:
        raise InputError(f"list {str(path)!r} holds no video: add a line for each below 'video,mask'")
    return rows


def _checked(row: dict[str | None, str | list[str] | None], folder: Path) -> tuple[str, Path, Path]:
    """Name, frames and masks of a row."""
    if None in row or None in row.values():
        raise InputError("the row has another number of fields than the first line: put names with commas in quotes")
    given = {key: str(value).strip() for key, value in row.items()}
    paths = {}
    for column in NEEDED:
        if not given[column]:
            raise InputError(f"the column {column!r} is empty: give a path")
        paths[column] = folder / given[column]
        if not paths[column].exists():
            raise InputError(f"{column} {str(paths[column])!r} is missing: correct the path, which starts at the list")
    name = given.get("name") or (paths["video"].name if paths["video"].is_dir() else paths["video"].stem)
    if name in (".", "..") or any(letter in name for letter in "/\\\0"):
        raise InputError(f"the name {name!r} is no folder's name: give one without slashes in the column 'name'")
    return name, paths["video"], paths["mask"]
