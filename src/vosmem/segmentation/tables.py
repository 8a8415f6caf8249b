"""Tables of the network's confidence."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from vosmem.files import write_text
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.user_video import UserVideo

OBJECTS_TABLE, CHECKS_TABLE = "objects.csv", "frames_to_check.csv"


def write_tables(
    folder: Path,
    video: UserVideo,
    rows: Collection[ObjectConfidence],
    checks: Sequence[Check],
    memory_frames: Sequence[int],
) -> None:
    """Write a table with a row per object and frame, and one of the frames to check.

    `memory_frames` is, per frame, the number of memory frames that it was read from.
    """
    objects = [{**row._asdict(), "memory_frames": memory_frames[row.t]} for row in rows]
    columns = (*ObjectConfidence._fields, "memory_frames")
    write_text(folder / OBJECTS_TABLE, _named(columns, objects, video))
    write_text(folder / CHECKS_TABLE, _named(Check._fields, [check._asdict() for check in checks], video))


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """A table as CSV; None is an empty cell. Without pandas, which `vosmem segment` does not load.

    Example:
        >>> csv_text(("t", "score"), [{"t": 1, "score": 0.5}, {"t": 2, "score": None}])
        't,score\\n1,0.5\\n2,\\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _named(columns: Sequence[str], rows: Iterable[dict[str, Any]], video: UserVideo) -> str:
    """The table with the names of frames and the ids of objects after the frame index, and without slots."""
    named = ["t", "frame", "object", *(column for column in columns if column not in ("t", "slot"))]
    cells = (
        {
            **{name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()},
            "frame": video.frame_names[row["t"]],
            "object": video.object_ids[slot - 1],
        }
        for slot, row in ((row.pop("slot"), row) for row in rows)
    )
    return csv_text(named, cells)
