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
from vosmem.inputs.wording import counted, listed

MAX_PIXELS = 2**28
SHAPES: dict[str, Callable[[Mapping[str, Any]], Region]] = {
    "polygon": lambda shape: polygons([np.ravel(shape["points"])]),
    "rotation": lambda shape: polygons([np.ravel(shape["points"])]),
    "rectangle": lambda shape: rectangle(shape["points"]),
    "circle": lambda shape: circle(shape["points"]),
    "mask": lambda shape: pasted(shape["mask"], shape["points"]),
}
WITHOUT_AREA = ("point", "points", "line", "linestrip")
TRACK_KEYS = ("track_id", "instance_id", "object_id", "tracking_id")
# What json and reading its content raise if a file is neither COCO nor LabelMe.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


class _FrameRegions(NamedTuple):
    """The regions of one frame with their object ids, in drawing order."""

    height: int
    width: int
    regions: list[tuple[int, Region]]


class AnnotationMasks(GivenMasks):
    """Masks of one COCO file, or of LabelMe files, one per frame.

    File names inside the files are compared with the stems of frames and never opened. Object ids: of COCO as
    `object_ids` says; LabelMe shapes with the same label and `group_id` are one object, and a numeric label is its id.

    Raises:
        InputError: a file is missing, is neither COCO nor LabelMe, or holds nothing that can be drawn.
    """

    def __init__(self, paths: Sequence[Path]):
        self.name = str(paths[0] if len(paths) == 1 else paths[0].parent)
        self._frames: dict[str, _FrameRegions] = {}
        self._file_of: dict[str, Path] = {}
        self._kind = "LabelMe"
        id_of: dict[tuple[str, Any], int] = {}
        notes: dict[Note, None] = {}
        for path in paths:
            content = _load(path)
            try:
                if "shapes" in content:
                    frames, new_notes = _labelme(path, content, id_of)
                else:
                    frames, new_notes = _coco(path, content)
                    self._kind = "COCO"
            except MALFORMED as error:
                raise InputError(
                    f"annotations {str(path)!r} are neither COCO nor LabelMe JSON ({_reason(error)}): export them again"
                ) from error
            self._frames.update(frames)
            self._file_of.update(dict.fromkeys(frames, path))
            notes.update(dict.fromkeys(new_notes))
        self.stems, self.notes = natsorted(self._frames), tuple(notes)

    def label(self, stem: str) -> str:
        """The file's name, with the frame's stem if one file holds several frames."""
        path = self._file_of[stem]
        return path.name if path.stem == stem else f"{path.name}[{stem}]"

    def read(self, stem: str) -> MaskFile:
        """Draw the regions of a frame."""
        height, width, regions = self._frames[stem]
        ids = np.zeros((height, width), np.uint16)
        try:
            for object_id, region in regions:
                ids[region(height, width)] = object_id
        except ValueError as error:
            raise InputError(f"annotations {self.label(stem)!r} cannot be drawn ({error}): correct them") from error
        return MaskFile(ids, None, (), self._kind)


def object_ids(annotations: Sequence[Mapping[str, Any]], file: str) -> tuple[list[int], list[Note]]:
    """The object id of each COCO annotation; 0 if annotations are to be numbered within their image.

    The track of an annotation is its value of that key of `TRACK_KEYS` which most annotations have, at the top level
    or in `attributes`. Numbers are ids; names are numbered in order. Annotations without a track become objects of
    their own if others have one.

    Example:
        >>> object_ids([{"attributes": {"track_id": "3"}}, {"attributes": {"track_id": 7}}], "a.json")
        ([3, 7], [])
    """
    candidates = [(key, [_track(entry, key) for entry in annotations]) for key in TRACK_KEYS]
    key, tracks = max(candidates, key=lambda pair: sum(track is not None for track in pair[1]))
    known = [track for track in tracks if track is not None]
    if not known:
        several = len({str(entry["image_id"]) for entry in annotations}) > 1
        return [0] * len(annotations), [Decision.OBJECTS_NUMBERED.note()] if several else []
    notes = []
    numbers = [track for track in known if isinstance(track, int)]
    id_of: dict[int | str, int]
    if len(numbers) == len(known):
        shift = 1 if min(numbers) == 0 else 0
        id_of = {number: number + shift for number in numbers}
        if shift:
            notes.append(Decision.IDS_FROM_ZERO.note(key=key))
    else:
        id_of = {track: number for number, track in enumerate(dict.fromkeys(known), start=1)}
        names = [f"{track!r} is object {number}" for track, number in id_of.items()]
        notes.append(Decision.OBJECTS_NAMED.note(key=key, names=listed(names)))
    ids, free = [], max(id_of.values()) + 1
    for track in tracks:
        ids.append(free if track is None else id_of[track])
        free += track is None
    if len(known) < len(tracks):
        entries = counted(len(tracks) - len(known), "annotation")
        notes.append(Decision.SOME_WITHOUT_ID.note(entries=entries, key=key, file=file))
    return ids, notes


def _track(annotation: Mapping[str, Any], key: str) -> int | str | None:
    """The track under a key; digits in a string are a number."""
    attributes = annotation.get("attributes")
    value = annotation.get(key)
    if value is None and isinstance(attributes, Mapping):
        value = attributes.get(key)
    if isinstance(value, bool) or value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value).strip()
    return int(text) if isinstance(value, int) or (text.isascii() and text.isdigit()) else text


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"annotations {str(path)!r} are missing: give the JSON file") from error
    except (OSError, *MALFORMED) as error:
        raise InputError(f"annotations {str(path)!r} are no JSON ({_reason(error)}): replace the file") from error
    if not isinstance(content, dict) or not ("shapes" in content or {"images", "annotations"} <= content.keys()):
        raise InputError(
            f"annotations {str(path)!r} are neither COCO (images, annotations) nor LabelMe (shapes): use one of them"
        )
    return content


def _coco(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, _FrameRegions], list[Note]]:
    """The regions by stem. Larger regions are drawn first, so that small ones stay in front."""
    images = {str(image["id"]): image for image in content["images"]}
    if len(images) < len(content["images"]):
        raise ValueError("two images have one id")
    drawable, left_out = _drawable(content["annotations"], images)
    if left_out and not drawable:
        raise InputError(f"annotations {str(path)!r} hold nothing that can be drawn ({listed(left_out)}): correct them")
    ids, notes = object_ids([entry for entry, _ in drawable], path.name)
    crowds = sum(bool(entry.get("iscrowd")) for entry, _ in drawable)
    if crowds:
        notes.append(Decision.CROWDS_TAKEN.note(entries=counted(crowds, "annotation"), file=path.name))
    notes += _note_left_out(path, "annotation", left_out)
    by_image: dict[str, list[tuple[float, int, Region]]] = {}
    for object_id, (entry, region) in zip(ids, drawable, strict=True):
        own = by_image.setdefault(str(entry["image_id"]), [])
        own.append((coco_area(entry), object_id or len(own) + 1, region))
    frames: dict[str, _FrameRegions] = {}
    for key, image in images.items():
        if key not in by_image:
            continue
        stem = _stem(image["file_name"])
        if stem in frames:
            raise ValueError(f"two images have the stem {stem!r}")
        largest_first = sorted(by_image[key], key=lambda one: one[0], reverse=True)
        regions = [(_checked_id(object_id), region) for _, object_id, region in largest_first]
        frames[stem] = _FrameRegions(*_checked_size(image["height"], image["width"]), regions)
    return frames, notes


def _drawable(
    annotations: Sequence[Any], images: Mapping[str, Any]
) -> tuple[list[tuple[Mapping[str, Any], Region]], list[str]]:
    """The annotations that can be drawn, with their regions, and the reasons why others cannot."""
    drawable, left_out = [], []
    for index, entry in enumerate(annotations):
        try:
            if str(entry["image_id"]) not in images:
                raise ValueError(f"there is no image {entry['image_id']!r}")
            coco_area(entry)
            drawable.append((entry, coco_region(entry["segmentation"])))
        except MALFORMED as error:
            name = entry.get("id", index) if isinstance(entry, Mapping) else index
            left_out.append(f"annotation {name}: {_reason(error)}")
    return drawable, left_out


def _note_left_out(path: Path, noun: str, reasons: Sequence[str]) -> list[Note]:
    if not reasons:
        return []
    entries, are = counted(len(reasons), noun), "is" if len(reasons) == 1 else "are"
    return [Decision.ENTRIES_LEFT_OUT.note(entries=entries, file=path.name, are=are, reasons=listed(reasons))]


def _labelme(
    path: Path, content: Mapping[str, Any], id_of: dict[tuple[str, Any], int]
) -> tuple[dict[str, _FrameRegions], list[Note]]:
    """The regions of a file; the ids of new objects are added to `id_of`."""
    regions: list[tuple[int, Region]] = []
    without_area: set[str] = set()
    left_out: list[str] = []
    for index, shape in enumerate(content["shapes"]):
        try:
            kind = str(shape.get("shape_type") or "polygon")
            if kind in WITHOUT_AREA:
                without_area.add(kind)
            elif kind in SHAPES:
                region = SHAPES[kind](shape)
                regions.append((_labelme_id(shape, id_of), region))
            else:
                left_out.append(f"shape {index}: the type {kind!r} is unknown")
        except MALFORMED as error:
            left_out.append(f"shape {index}: {_reason(error)}")
    stem = _stem(content["imagePath"]) if content.get("imagePath") else path.stem
    size = _checked_size(content["imageHeight"], content["imageWidth"])
    notes = [Decision.SHAPES_LEFT_OUT.note(kinds=", ".join(sorted(without_area)))] if without_area else []
    return {stem: _FrameRegions(*size, regions)}, notes + _note_left_out(path, "shape", left_out)


def _labelme_id(shape: Mapping[str, Any], id_of: dict[tuple[str, Any], int]) -> int:
    label, group = str(shape["label"]), shape.get("group_id")
    if (label, group) not in id_of:
        taken = set(id_of.values())
        number = int(label) if label.isascii() and label.isdigit() and group is None else 0
        if number == 0 or number in taken:
            number = next(free for free in range(1, LARGEST_ID + 2) if free not in taken)
        id_of[label, group] = _checked_id(number)
    return id_of[label, group]


def _checked_id(object_id: int) -> int:
    if not 1 <= object_id <= LARGEST_ID:
        raise ValueError(f"id {object_id} is outside 1 to {LARGEST_ID}")
    return object_id


def _checked_size(height: Any, width: Any) -> tuple[int, int]:
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        raise ValueError("height and width of an image are missing")
    if height * width > MAX_PIXELS:
        raise ValueError(f"an image of {width}x{height} is too large")
    return height, width


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{text} is missing" if isinstance(error, KeyError) else text
