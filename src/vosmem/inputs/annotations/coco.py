"""COCO and YouTube-VIS files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from vosmem.data.decoding.notes import Decision
from vosmem.data.decoding.regions import Region, coco_area, coco_region
from vosmem.errors import InputError
from vosmem.inputs.annotations.shapes import Annotations, Shape, checked_size, numbered, stem_of
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.wording import counted, listed

TRACK_KEYS = ("track_id", "instance_id", "object_id", "tracking_id")
NESTED = ("attributes", "extra")  # where exporters put what COCO has no key for


def read_coco(path: Path, content: Mapping[str, Any], frames: FrameSource | None) -> Annotations:
    """The shapes of a COCO file. Larger regions are drawn first, so that small ones stay in front."""
    images = {str(image["id"]): image for image in content["images"]}
    if len(images) < len(content["images"]):
        raise ValueError("two images have one id")
    stems = [stem_of(image["file_name"]) for image in content["images"]]
    twin = next((stem for stem in stems if stems.count(stem) > 1), None) if len(set(stems)) < len(stems) else None
    if twin is not None:
        raise ValueError(f"two images have the stem {twin!r}")
    labels = _labels(content)
    found = Annotations("COCO", _track_key(content["annotations"]), "annotation")
    crowds = short = 0
    for index, entry in enumerate(content["annotations"]):
        with found.entry(entry.get("id", index) if isinstance(entry, Mapping) else index):
            if str(entry["image_id"]) not in images:
                raise ValueError(f"there is no image {entry['image_id']!r}")
            image = images[str(entry["image_id"])]
            region, dropped = _region(entry["segmentation"])
            shape = Shape(stem_of(image["file_name"]), None, region, _track(entry, found.key), depth=-coco_area(entry))
            found.shapes.append(shape._replace(size=_image_size(image), label=labels.get(entry.get("category_id"))))
            crowds, short = crowds + bool(entry.get("iscrowd")), short + dropped
    if crowds:
        found.notes.append(Decision.CROWDS_TAKEN.note(entries=counted(crowds, "annotation"), file=path.name))
    if short:
        found.notes.append(Decision.OUTLINES_LEFT_OUT.note(outlines=counted(short, "outline"), file=path.name))
    return found


def read_youtube_vis(path: Path, content: Mapping[str, Any], frames: FrameSource | None) -> Annotations:
    """The shapes of the video of a YouTube-VIS file that has the name or the frames of the user's video."""
    video = _own_video(path, content["videos"], frames)
    stems, labels = [stem_of(name) for name in video["file_names"]], _labels(content)
    size = checked_size(video["height"], video["width"])
    found = Annotations("YouTube-VIS", "id", "annotation")
    own = [entry for entry in content["annotations"] if str(entry["video_id"]) == str(video["id"])]
    for number, entry in enumerate(own, start=1):
        if len(entry["segmentations"]) != len(stems):
            raise ValueError(f"annotation {entry.get('id', number)} has not one segmentation for each frame")
        areas = entry.get("areas") or [None] * len(stems)
        for stem, segmentation, area in zip(stems, entry["segmentations"], areas, strict=True):
            if segmentation is None:
                continue
            with found.entry(f"{entry.get('id', number)} in frame {stem}"):
                region, _ = _region(segmentation)
                label = labels.get(entry.get("category_id"))
                found.shapes.append(Shape(stem, size, region, number, label, -float(area or 0)))
    return found


def _own_video(path: Path, videos: Sequence[Any], frames: FrameSource | None) -> Mapping[str, Any]:
    if len(videos) == 1 or frames is None:
        return videos[0]
    name, stems = Path(frames.name).stem, set(frames.frame_names)
    folders = [{PurePosixPath(str(file)).parent.name for file in video["file_names"]} for video in videos]
    named = [video for video, own in zip(videos, folders, strict=True) if own == {name}]
    shared = [video for video in videos if stems & {stem_of(file) for file in video["file_names"]}]
    for chosen in (named, shared):
        if len(chosen) == 1:
            return chosen[0]
    shown = listed(sorted(set().union(*folders)))
    raise InputError(f"annotations {str(path)!r} have {len(videos)} videos ({shown}), none of which is {name!r}")


def _region(segmentation: Any) -> tuple[Region, int]:
    """The region of an annotation, and the number of its outlines that enclose nothing."""
    if not isinstance(segmentation, list):
        return coco_region(segmentation), 0
    if segmentation and all(isinstance(number, int | float) for number in segmentation):
        raise ValueError("the outline is not in a list of outlines")
    drawable = [outline for outline in segmentation if len(outline) >= 6] or segmentation
    return coco_region(drawable), len(segmentation) - len(drawable)


def _image_size(image: Mapping[str, Any]) -> tuple[int, int]:
    try:
        return checked_size(image.get("height"), image.get("width"))
    except ValueError as error:
        raise ValueError(f"{error} ({image['file_name']!r})") from error


def _labels(content: Mapping[str, Any]) -> dict[Any, str]:
    """Names of categories by id."""
    categories = content.get("categories") or ()
    return {category["id"]: str(category.get("name", category["id"])) for category in categories}


def _plain(key: object) -> str:
    return re.sub(r"[^a-z]", "", str(key).lower())


def _values(entry: Any) -> Iterator[tuple[str, Any]]:
    """The keys of an annotation and of the attributes below it, in small letters."""
    if not isinstance(entry, Mapping):
        return
    yield from ((_plain(key), value) for key, value in entry.items() if key not in NESTED)
    for nested in filter(None, map(entry.get, NESTED)):
        pairs = nested.items() if isinstance(nested, Mapping) else _named_values(nested)
        yield from ((_plain(key), value) for key, value in pairs)


def _named_values(attributes: Any) -> Iterator[tuple[Any, Any]]:
    """Attributes as a list of names with values."""
    for attribute in attributes if isinstance(attributes, list) else ():
        if isinstance(attribute, Mapping) and "value" in attribute:
            yield attribute.get("name"), attribute["value"]


def _track(entry: Any, key: str) -> int | str | None:
    values = (numbered(value) for name, value in _values(entry) if name == _plain(key))
    return next((value for value in values if value is not None), None)


def _track_key(entries: Sequence[Any]) -> str:
    """The key of identities that most annotations have."""
    return max(TRACK_KEYS, key=lambda key: sum(_track(entry, key) is not None for entry in entries))
