"""LabelMe files, one for each frame."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vosmem.data.decoding.notes import Decision
from vosmem.data.decoding.regions import Region, circle, embedded_mask, polygons, rectangle
from vosmem.inputs.annotations.shapes import Annotations, Shape, checked_size, numbered, stem_of
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.wording import counted, listed

SHAPES: dict[str, Callable[[Mapping[str, Any]], Region]] = {
    "polygon": lambda shape: polygons([np.ravel(shape["points"])]),
    "rotation": lambda shape: polygons([np.ravel(shape["points"])]),
    "rectangle": lambda shape: rectangle(shape["points"]),
    "circle": lambda shape: circle(shape["points"]),
    "mask": lambda shape: embedded_mask(shape["mask"], shape["points"]),
}
WITHOUT_AREA = ("point", "points", "line", "linestrip")


def read_labelme(path: Path, content: Mapping[str, Any], frames: FrameSource | None) -> Annotations:
    """The shapes of a file. Those with one label and `group_id` are one object; a numeric label is its id."""
    found = Annotations("LabelMe", "label", "shape")
    stem = stem_of(content["imagePath"]) if content.get("imagePath") else path.stem
    size = checked_size(content["imageHeight"], content["imageWidth"])
    without_area: set[str] = set()
    boxes = 0
    for index, shape in enumerate(content["shapes"]):
        with found.entry(index):
            kind = str(shape.get("shape_type") or "polygon")
            if kind in WITHOUT_AREA:
                without_area.add(kind)
            elif kind in SHAPES:
                label, group = str(shape["label"]), shape.get("group_id")
                track = numbered(label) if group is None else f"{label} (group {group})"
                found.shapes.append(Shape(stem, size, SHAPES[kind](shape), track or label, label))
                boxes += kind == "rectangle"
            else:
                raise ValueError(f"the type {kind!r} is unknown")
    found.empty.append(stem)
    labels = Counter(str(shape.label) for shape in found.shapes if shape.track in (shape.label, numbered(shape.label)))
    shared = [label for label, count in labels.items() if count > 1]
    if shared:
        found.notes.append(Decision.LABELS_SHARED.note(labels=listed(shared)))
    if boxes:
        found.notes.append(Decision.BOXES_DRAWN.note(boxes=counted(boxes, "box", "boxes"), file=path.name))
    if without_area:
        found.notes.append(Decision.SHAPES_LEFT_OUT.note(kinds=", ".join(sorted(without_area))))
    return found
