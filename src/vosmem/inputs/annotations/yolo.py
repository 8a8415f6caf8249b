"""Text files of YOLO segmentation, one for each frame: a class and an outline on each line."""

from pathlib import Path

import numpy as np

from vosmem.data.decoding.regions import Region, polygons
from vosmem.errors import InputError
from vosmem.inputs.annotations.shapes import Annotations, Shape, finite
from vosmem.inputs.frames import FrameSource

SLACK = 0.01  # by which a coordinate may be outside 0 to 1


def is_yolo(path: Path) -> bool:
    """Whether a text file begins with a line of numbers, or is empty."""
    try:
        with open(path, encoding="utf-8") as file:
            first = next((line for line in file if line.strip()), "0")
        finite([float(word) for word in first.split()])
        return True
    except (OSError, ValueError):
        return False


def read_yolo(path: Path, text: str, frames: FrameSource | None) -> Annotations:
    """The shapes of a file. A whole number after the outline is the track."""
    if frames is None:
        raise InputError(f"annotations {str(path)!r} need the size of the frames: give them with their video")
    found = Annotations("YOLO", "track", "line", empty=[path.stem])
    width, height = frames.size
    for index, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        with found.entry(index):
            if len(words) == 5:
                raise ValueError("it is a box, not an outline")
            label, coordinates = str(int(float(words[0]))), words[1:]
            track = int(coordinates.pop()) if len(coordinates) % 2 else None
            outline = finite([float(word) for word in coordinates]).reshape(-1, 2)
            if outline.size and (outline.min() < -SLACK or outline.max() > 1 + SLACK):
                raise ValueError("a coordinate is outside 0 to 1")
            region: Region = polygons([(outline * np.array([width, height])).ravel()])
            found.shapes.append(Shape(path.stem, (height, width), region, track, label))
    return found
