"""Label Studio's JSON export: polygons, brush masks, rectangles and ellipses."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from vosmem.data.decoding.notes import Decision
from vosmem.data.decoding.regions import Region, ellipse, polygons, turned_rectangle
from vosmem.inputs.annotations.shapes import MAX_PIXELS, Annotations, Shape, checked_size, finite, stem_of
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.wording import counted

OPAQUE = 128
UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what an upload puts before a file's name


def read_label_studio(path: Path, content: Sequence[Any], frames: FrameSource | None) -> Annotations:
    """The shapes of the tasks of a file, by the names of their images."""
    found = Annotations("Label Studio", "label", "region")
    names = set() if frames is None else set(frames.frame_names)
    boxes, without_area = 0, set()
    for task in content:
        stem = _stem(task)
        stem = stem if stem in names else UPLOADED.sub("", stem, count=1)
        found.empty.append(stem)
        for result in _results(task):
            with found.entry(result.get("id", stem)):
                kind, value = str(result["type"]).removesuffix("labels"), result.get("value") or {}
                if kind not in SHAPES:
                    without_area.add(kind)
                    continue
                if result.get("image_rotation"):
                    raise ValueError(f"its image is turned by {result['image_rotation']} degrees")
                size = checked_size(result["original_height"], result["original_width"])
                labels = value.get(f"{kind}labels") or [None]
                found.shapes.append(Shape(stem, size, SHAPES[kind](value, size), _track(labels[0]), labels[0]))
                boxes += kind == "rectangle"
    if boxes:
        found.notes.append(Decision.BOXES_DRAWN.note(boxes=counted(boxes, "box", "boxes"), file=path.name))
    if without_area:
        found.notes.append(Decision.SHAPES_LEFT_OUT.note(kinds=", ".join(sorted(without_area))))
    return found


def _track(label: str | None) -> int | None:
    """The id that a label is, as in files of vosmem."""
    return int(label) if label is not None and label.isascii() and label.isdigit() else None


def _stem(task: Mapping[str, Any]) -> str:
    """The stem of the image of a task: the file that was uploaded, or the only text among its data."""
    data = [value for value in task["data"].values() if isinstance(value, str)]
    if not data:
        raise ValueError("a task has no image")
    address, _, query = str(task["data"].get("image") or data[0]).partition("?")
    return stem_of(query.removeprefix("d=") if query.startswith("d=") else address)  # d is a path of local storage


def _results(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The regions of the only annotation of a task that was not cancelled; of its only prediction if it has none."""
    made = task.get("annotations") or task.get("completions") or task.get("predictions") or ()
    done = [one for one in made if not one.get("was_cancelled")]
    if len(done) > 1:
        raise ValueError(f"task {task.get('id')} has {len(done)} annotations, of which one is needed")
    return list(done[0]["result"]) if done else []


def _percent(value: Mapping[str, Any], names: Sequence[str], size: tuple[int, int]) -> list[float]:
    """Lengths in percent of the image's width and height, in turn, as pixels."""
    height, width = size
    return [float(value[name]) * (height if index % 2 else width) / 100 for index, name in enumerate(names)]


def _polygon(value: Mapping[str, Any], size: tuple[int, int]) -> Region:
    height, width = size
    return polygons([(finite(value["points"]).reshape(-1, 2) * (width / 100, height / 100)).ravel()])


def _rectangle(value: Mapping[str, Any], size: tuple[int, int]) -> Region:
    x, y, width, height = _percent(value, ("x", "y", "width", "height"), size)
    return turned_rectangle((x, y), (width, height), float(value.get("rotation") or 0), (x, y))


def _ellipse(value: Mapping[str, Any], size: tuple[int, int]) -> Region:
    x, y, rx, ry = _percent(value, ("x", "y", "radiusX", "radiusY"), size)
    return ellipse((x, y), (rx, ry), float(value.get("rotation") or 0))


def _brush(value: Mapping[str, Any], size: tuple[int, int]) -> Region:
    if value.get("format", "rle") != "rle":
        raise ValueError(f"the brush format {value['format']!r} is unknown")
    height, width = size
    opacity = unpacked_brush(value["rle"], height * width * 4).reshape(height, width, 4)[..., 3] >= OPAQUE

    def draw(rows: int, columns: int) -> Bool[np.ndarray, "H W"]:
        return opacity

    return draw


SHAPES: dict[str, Callable[[Mapping[str, Any], tuple[int, int]], Region]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "ellipse": _ellipse,
    "brush": _brush,
}


def unpacked_brush(packed: Sequence[int], expected: int) -> UInt8[np.ndarray, "N"]:
    """Decompress the values of a brush, the RGBA bytes of an image.

    The stream of bits begins with the number of values (32 bits), the bits of a value less one (5), and four lengths of
    counters less one (4 each). Each block is a flag (1 for a repeated value), the kind of counter (2), the count less
    one, and one value or one for each count.

    Args:
        packed: bytes.
        expected: number of values.

    Raises:
        ValueError: the stream ends early, or has another number of values.
    """
    if expected > 4 * MAX_PIXELS:
        raise ValueError("the image is too large")
    bits = np.unpackbits(np.asarray(packed, np.uint8))
    at = 0

    def number(width: int) -> int:
        nonlocal at
        if at + width > len(bits):
            raise ValueError("the brush mask is cut")
        value, at = int("".join(map(str, bits[at : at + width])), 2), at + width
        return value

    total, word = number(32), number(5) + 1
    if total != expected:
        raise ValueError(f"the brush mask has {total} values, its image {expected}")
    if word > 8:
        raise ValueError(f"the brush mask has values of {word} bits")
    counters = [number(4) + 1 for _ in range(4)]
    values, done = np.zeros(total, np.uint8), 0
    while done < total:
        repeated = number(1)
        count = number(counters[number(2)]) + 1
        if done + count > total:
            raise ValueError("the brush mask has too many values")
        if repeated:
            values[done : done + count] = number(word)
        else:
            if at + count * word > len(bits):
                raise ValueError("the brush mask is cut")
            words = bits[at : at + count * word].reshape(count, word)
            values[done : done + count] = np.packbits(words, axis=1)[:, 0] >> (8 - word)
            at += count * word
        done += count
    return values
