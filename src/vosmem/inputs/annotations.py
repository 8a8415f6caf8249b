"""Masks drawn from annotation files: COCO and LabelMe."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from natsort import natsorted

from vosmem.data.decoding.mask_files import LARGEST_ID, MaskFile
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.regions import Region, circle, coco_area, coco_region, pasted, polygons, rectangle
from vosmem.errors import InputError
from vosmem.inputs.given_masks import GivenMasks
from vosmem.inputs.identities import identities
from vosmem.inputs.wording import counted, listed

MOST_PIXELS = 2**28
SHAPES: dict[str, Callable[[Mapping[str, Any]], Region]] = {
    "polygon": lambda shape: polygons([np.ravel(shape["points"])]),
    "rotation": lambda shape: polygons([np.ravel(shape["points"])]),
    "rectangle": lambda shape: rectangle(shape["points"]),
    "circle": lambda shape: circle(shape["points"]),
    "mask": lambda shape: pasted(shape["mask"], shape["points"]),
}
WITHOUT_AREA = ("point", "points", "line", "linestrip")
# What json and the look into it raise where a file is not what it says.
NOT_AS_SAID = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


class _Drawing(NamedTuple):
    """The regions of one frame, those drawn first first."""

    height: int
    width: int
    regions: list[tuple[int, Region]]


class AnnotationMasks(GivenMasks):
    """Masks of one COCO file, or of LabelMe files, one a frame. Names inside the files are compared with the stems of
    frames and never opened.

    COCO's `track_id`, else `instance_id` (also below `attributes`), is the object's id, as `identities` says.
    LabelMe's shapes of one label and `group_id` are one object; a label that is a number is its id.

    Args:
        paths: the JSON files.

    Raises:
        InputError: a file is missing, neither COCO nor LabelMe, or what it draws cannot be drawn.
    """

    def __init__(self, paths: Sequence[Path]):
        self.name = str(paths[0] if len(paths) == 1 else paths[0].parent)
        self._drawings: dict[str, _Drawing] = {}
        self._file_of: dict[str, Path] = {}
        self._kind = "LabelMe"
        labels: dict[tuple[str, Any], int] = {}
        notes: dict[Note, None] = {}
        for path in paths:
            content = _load(path)
            try:
                if "shapes" in content:
                    drawn, new_notes = _labelme(path, content, labels)
                else:
                    drawn, new_notes = _coco(path, content)
                    self._kind = "COCO"
            except NOT_AS_SAID as error:
                raise InputError(
                    f"annotations {str(path)!r} are neither COCO nor LabelMe JSON ({_said(error)}): export them anew"
                ) from error
            self._drawings.update(drawn)
            self._file_of.update(dict.fromkeys(drawn, path))
            notes.update(dict.fromkeys(new_notes))
        self.stems, self.notes = natsorted(self._drawings), tuple(notes)

    def label(self, stem: str) -> str:
        """The file's name, and the frame's where one file holds several."""
        path = self._file_of[stem]
        return path.name if path.stem == stem else f"{path.name}[{stem}]"

    def read(self, stem: str) -> MaskFile:
        """Draw the regions of a frame."""
        height, width, regions = self._drawings[stem]
        ids = np.zeros((height, width), np.uint16)
        try:
            for number, region in regions:
                ids[region(height, width)] = number
        except ValueError as error:
            raise InputError(f"annotations {self.label(stem)!r} cannot be drawn ({error}): mend them") from error
        return MaskFile(ids, None, (), self._kind)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"annotations {str(path)!r} are missing: give the JSON file") from error
    except (OSError, *NOT_AS_SAID) as error:
        raise InputError(f"annotations {str(path)!r} are no JSON ({_said(error)}): replace the file") from error
    if not isinstance(content, dict) or not ("shapes" in content or {"images", "annotations"} <= content.keys()):
        raise InputError(
            f"annotations {str(path)!r} are neither COCO (images, annotations) nor LabelMe (shapes): use one of them"
        )
    return content


def _coco(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, _Drawing], list[Note]]:
    """The drawings by stem; larger regions first, so that small ones in front stay whole."""
    images = {str(image["id"]): image for image in content["images"]}
    if len(images) < len(content["images"]):
        raise ValueError("two images have one id")
    kept, left_out = _drawable(content["annotations"], images)
    if left_out and not kept:
        raise InputError(f"annotations {str(path)!r} hold nothing that can be drawn ({listed(left_out)}): correct them")
    crowds = sum(bool(entry.get("iscrowd")) for entry, _ in kept)
    numbers, notes = identities([entry for entry, _ in kept], path.name)
    if crowds:
        notes.append(Decision.CROWDS_TAKEN.note(entries=counted(crowds, "annotation"), file=path.name))
    if left_out:
        notes.append(_left_out(path, "annotation", left_out))
    of_image: dict[str, list[tuple[int, float, Region]]] = {}
    for number, (entry, region) in zip(numbers, kept, strict=True):
        of_image.setdefault(str(entry["image_id"]), []).append((number, coco_area(entry), region))
    drawings: dict[str, _Drawing] = {}
    for key, image in images.items():
        if key not in of_image:
            continue
        stem, size = _stem(image["file_name"]), _size(image["height"], image["width"])
        if stem in drawings:
            raise ValueError(f"two pictures have the stem {stem!r}")
        numbered = [
            (number or index, area, region) for index, (number, area, region) in enumerate(of_image[key], start=1)
        ]
        numbered.sort(key=lambda entry: entry[1], reverse=True)
        drawings[stem] = _Drawing(*size, [(_id(number), region) for number, _, region in numbered])
    return drawings, notes


def _drawable(
    entries: Sequence[Any], images: Mapping[str, Any]
) -> tuple[list[tuple[Mapping[str, Any], Region]], list[str]]:
    """The annotations that can be drawn, with their regions, and why the others cannot."""
    kept, left_out = [], []
    for place, entry in enumerate(entries):
        name = entry.get("id", place) if isinstance(entry, Mapping) else place
        try:
            if str(entry["image_id"]) not in images:
                raise ValueError(f"there is no image {entry['image_id']!r}")
            coco_area(entry)
            kept.append((entry, coco_region(entry["segmentation"])))
        except NOT_AS_SAID as error:
            left_out.append(f"annotation {name}: {_said(error)}")
    return kept, left_out


def _left_out(path: Path, thing: str, reasons: Sequence[str]) -> Note:
    entries, are = counted(len(reasons), thing), "is" if len(reasons) == 1 else "are"
    return Decision.ENTRIES_LEFT_OUT.note(entries=entries, file=path.name, are=are, reasons=listed(reasons))


def _labelme(
    path: Path, content: Mapping[str, Any], labels: dict[tuple[str, Any], int]
) -> tuple[dict[str, _Drawing], list[Note]]:
    """The drawing of a file; `labels` grows by the objects that are new."""
    regions: list[tuple[int, Region]] = []
    without_area: set[str] = set()
    left_out: list[str] = []
    for place, shape in enumerate(content["shapes"]):
        try:
            kind = str(shape.get("shape_type") or "polygon")
            if kind in WITHOUT_AREA:
                without_area.add(kind)
            elif kind in SHAPES:
                region = SHAPES[kind](shape)
                regions.append((_label_id(shape, labels), region))
            else:
                left_out.append(f"shape {place}: the type {kind!r} is unknown")
        except NOT_AS_SAID as error:
            left_out.append(f"shape {place}: {_said(error)}")
    stem = _stem(content["imagePath"]) if content.get("imagePath") else path.stem
    size = _size(content["imageHeight"], content["imageWidth"])
    notes = [Decision.SHAPES_LEFT_OUT.note(kinds=", ".join(sorted(without_area)))] if without_area else []
    if left_out:
        notes.append(_left_out(path, "shape", left_out))
    return {stem: _Drawing(*size, regions)}, notes


def _label_id(shape: Mapping[str, Any], labels: dict[tuple[str, Any], int]) -> int:
    label, group = str(shape["label"]), shape.get("group_id")
    if (label, group) not in labels:
        taken = set(labels.values())
        number = int(label) if label.isascii() and label.isdigit() and group is None else 0
        if number == 0 or number in taken:
            number = next(free for free in range(1, LARGEST_ID + 2) if free not in taken)
        labels[label, group] = _id(number)
    return labels[label, group]


def _id(number: int) -> int:
    if not 1 <= number <= LARGEST_ID:
        raise ValueError(f"id {number} is beyond 1 to {LARGEST_ID}")
    return number


def _size(height: Any, width: Any) -> tuple[int, int]:
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        raise ValueError("a picture's height and width are missing")
    if height * width > MOST_PIXELS:
        raise ValueError(f"a picture of {width}x{height} is too large")
    return height, width


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _said(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{text} is missing" if isinstance(error, KeyError) else text
