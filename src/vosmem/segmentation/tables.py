"""How sure the network was, as tables."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from vosmem.files import write_text
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.user_video import UserVideo

OBJECTS_TABLE, CHECKS_TABLE = "objects.csv", "frames_to_check.csv"
DIGITS = "%.4f"


def write_tables(
    folder: Path,
    video: UserVideo,
    rows: Collection[ObjectConfidence],
    checks: Sequence[Check],
    memory_frames: Sequence[int],
) -> None:
    """Write a table with a line for each object and frame, and one with the frames to check.

    Args:
        folder: where to.
        video: whose names and ids stand in the tables.
        rows: of each object and frame.
        checks: the frames to look at.
        memory_frames: for each frame, how many frames it was read from.

    Raises:
        OSError: a table could not be written.
    """
    objects = pd.DataFrame([row._asdict() for row in rows], columns=ObjectConfidence._fields)
    objects["memory_frames"] = [memory_frames[t] for t in objects["t"]]
    write_text(folder / OBJECTS_TABLE, _named(objects, video).to_csv(index=False, float_format=DIGITS))
    listed = pd.DataFrame(list(checks), columns=Check._fields)
    write_text(folder / CHECKS_TABLE, _named(listed, video).to_csv(index=False, float_format=DIGITS))


def _named(table: pd.DataFrame, video: UserVideo) -> pd.DataFrame:
    """Frames by their names and objects by their ids."""
    table.insert(1, "frame", [video.frame_names[t] for t in table["t"]])
    table.insert(2, "object", [video.object_ids[slot - 1] for slot in table["slot"]])
    return table.drop(columns="slot")
