"""CVAT's XML files: for images, and for video with tracks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from vosmem.data.decoding.notes import Decision
from vosmem.data.decoding.regions import Region, ellipse, placed_runs, polygons, turned_rectangle
from vosmem.inputs.annotations.shapes import Annotations, Shape, checked_size, finite, numbered, stem_of
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.wording import counted

WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid", "tag")
TRACK_ATTRIBUTES = ("track_id", "instance_id", "object_id")


def _corners(element: Element) -> Region:
    pairs = [pair.split(",") for pair in element.attrib["points"].split(";")]
    return polygons([finite(pairs).reshape(-1)])


def _numbers(element: Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


def _box(element: Element) -> Region:
    x0, y0, x1, y1 = _numbers(element, "xtl", "ytl", "xbr", "ybr")
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    return turned_rectangle((x0, y0), (x1 - x0, y1 - y0), float(element.get("rotation", 0)), centre)


def _ellipse(element: Element) -> Region:
    cx, cy, rx, ry = _numbers(element, "cx", "cy", "rx", "ry")
    return ellipse((cx, cy), (rx, ry), float(element.get("rotation", 0)))


def _mask(element: Element) -> Region:
    left, top, width, height = map(int, _numbers(element, "left", "top", "width", "height"))
    return placed_runs([int(count) for count in element.attrib["rle"].split(",")], (left, top), (width, height))


SHAPES: dict[str, Callable[[Element], Region]] = {"polygon": _corners, "box": _box, "ellipse": _ellipse, "mask": _mask}


def read_cvat(path: Path, root: Any, frames: FrameSource | None) -> Annotations:
    """The shapes of a file: of its images by their names, of its tracks by the index of the frame."""
    found = Annotations("CVAT", "track_id", "shape")
    boxes, without_area = 0, set()
    for frame, size, track, element in _elements(root):
        with found.entry(f"{element.tag} in frame {frame}"):
            if element.tag in WITHOUT_AREA:
                without_area.add(element.tag)
                continue
            if element.tag not in SHAPES:
                raise ValueError(f"the type {element.tag!r} is unknown")
            own = track if track is not None else _own_track(element)
            label, depth = element.get("label"), float(element.get("z_order", 0))
            found.shapes.append(Shape(frame, checked_size(*size), SHAPES[element.tag](element), own, label, depth))
            boxes += element.tag == "box"
    if boxes:
        found.notes.append(Decision.BOXES_DRAWN.note(boxes=counted(boxes, "box", "boxes"), file=path.name))
    if without_area:
        found.notes.append(Decision.SHAPES_LEFT_OUT.note(kinds=", ".join(sorted(without_area))))
    if root.find("track") is not None:
        found.notes.append(Decision.FRAMES_BY_INDEX.note(file=path.name))
    return found


def _elements(root: Element) -> list[tuple[str | int, tuple[Any, Any], int | None, Element]]:
    """The shapes with their frame, the size of the image, and their track."""
    found: list[tuple[str | int, tuple[Any, Any], int | None, Element]] = []
    for image in root.iter("image"):
        size = image.get("height"), image.get("width")
        found += [(stem_of(image.attrib["name"]), size, None, element) for element in image]
    original = root.find(".//original_size")
    whole = (None, None) if original is None else (original.findtext("height"), original.findtext("width"))
    for track in root.iter("track"):
        for element in track:
            if element.get("outside") != "1":
                element.attrib.setdefault("label", track.get("label", ""))
                found.append((int(element.attrib["frame"]), whole, int(track.attrib["id"]), element))
    return found


def _own_track(element: Element) -> int | str | None:
    """The identity of a shape of an image: its attribute, or its group."""
    attributes = {attribute.get("name"): attribute.text for attribute in element.iter("attribute")}
    values = (numbered(attributes.get(name)) for name in TRACK_ATTRIBUTES)
    own = next((value for value in values if value is not None), None)
    group = numbered(element.get("group_id"))
    return own if own is not None or not group else f"group {group}"
