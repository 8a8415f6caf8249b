"""Masks drawn from annotation files of any format."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from natsort import natsorted

from vosmem.data.decoding.mask_files import MaskFile
from vosmem.data.decoding.notes import Note
from vosmem.data.decoding.regions import Region
from vosmem.errors import InputError
from vosmem.inputs.annotations.coco import read_coco, read_youtube_vis
from vosmem.inputs.annotations.cvat import read_cvat
from vosmem.inputs.annotations.identities import object_ids
from vosmem.inputs.annotations.label_studio import read_label_studio
from vosmem.inputs.annotations.labelme import read_labelme
from vosmem.inputs.annotations.shapes import MALFORMED, Annotations, Shape, reason, unusable
from vosmem.inputs.annotations.yolo import is_yolo, read_yolo
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks
from vosmem.inputs.wording import listed

SUFFIXES = (".json", ".xml", ".txt")
FORMATS = "COCO, YouTube-VIS, LabelMe or Label Studio JSON, CVAT XML or YOLO text"


def is_annotation(path: Path) -> bool:
    """Whether a file has the suffix of annotations; a text file must hold numbers."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES and path.is_file() and (suffix != ".txt" or is_yolo(path))


class _FrameRegions(NamedTuple):
    """The regions of one frame with their object ids, in drawing order."""

    size: tuple[int, int]  # height and width
    regions: list[tuple[int, Region]]
    path: Path
    kind: str


class AnnotationMasks(GivenMasks):
    """Masks of one annotation file for all frames, or of several files, one per frame.

    File names inside the files are compared with the stems of frames and never opened. `object_ids` numbers the
    objects, over all files.

    Args:
        paths: the files.
        frames: of the video, which formats need that number frames or give coordinates as shares of a frame's size.

    Raises:
        InputError: a file is missing, of an unknown format, or holds nothing that can be drawn.
    """

    def __init__(self, paths: Sequence[Path], frames: FrameSource | None = None):
        self.name = str(paths[0] if len(paths) == 1 else paths[0].parent)
        notes: dict[Note, None] = {}
        shapes: list[tuple[Shape, Path, str]] = []
        self._frames: dict[str, _FrameRegions] = {}
        for path in paths:
            found = _read(path, frames)
            _resolve_indices(found, frames)
            own_notes = [*found.notes, *found.note_left_out(path)]
            if found.left_out and not found.shapes and not found.empty:
                raise InputError(
                    f"annotations {str(path)!r} hold nothing that can be drawn ({listed(found.left_out)}): correct them"
                )
            notes.update(dict.fromkeys(own_notes))
            shapes += [(shape, path, found.kind) for shape in found.shapes]
            size = (1, 1) if frames is None else frames.size[::-1]
            self._frames.update({stem: _FrameRegions(size, [], path, found.kind) for stem in found.empty})
        file = paths[0].name if len(paths) == 1 else paths[0].parent.name
        try:
            ids, numbering = object_ids([shape for shape, _, _ in shapes], found.key, found.noun, file)
        except ValueError as error:
            raise InputError(f"annotations {str(paths[0])!r}: {error}: use smaller numbers") from error
        notes.update(dict.fromkeys(numbering))
        self._collect(shapes, ids)
        self.stems, self.notes = natsorted(self._frames), tuple(notes)

    def _collect(self, shapes: Sequence[tuple[Shape, Path, str]], ids: Sequence[int]) -> None:
        """Sort the shapes into their frames."""
        pairs = sorted(zip(shapes, ids, strict=True), key=lambda pair: pair[0][0].depth)
        for (shape, path, kind), object_id in pairs:
            stem = str(shape.frame)
            assert shape.size is not None
            own = self._frames.get(stem)
            if own is None or not own.regions:
                own = self._frames[stem] = _FrameRegions(shape.size, [], path, kind)
            own.regions.append((object_id, shape.region))

    def label(self, stem: str) -> str:
        """The file's name, with the frame's stem if one file holds several frames."""
        path = self._frames[stem].path
        return path.name if path.stem == stem else f"{path.name}[{stem}]"

    def read(self, stem: str) -> MaskFile:
        """Draw the regions of a frame."""
        own = self._frames[stem]
        ids = np.zeros(own.size, np.uint16)
        try:
            for object_id, region in own.regions:
                ids[region(*own.size)] = object_id
        except ValueError as error:
            raise InputError(f"annotations {self.label(stem)!r} cannot be drawn ({error}): correct them") from error
        return MaskFile(ids, None, (), own.kind)


def _resolve_indices(found: Annotations, frames: FrameSource | None) -> None:
    """Replace frame indices by stems; a frame that the video does not have leaves its shape out."""
    indices = {} if frames is None else dict(zip(frames.indices, frames.frame_names, strict=True))
    shapes = []
    for shape in found.shapes:
        if isinstance(shape.frame, str):
            shapes.append(shape)
        elif shape.frame in indices:
            shapes.append(shape._replace(frame=indices[shape.frame]))
        else:
            found.left_out.append(f"{found.noun} in frame {shape.frame}: the video has no such frame")
    found.shapes[:] = shapes


def _read(path: Path, frames: FrameSource | None) -> Annotations:
    content = _load(path)
    kinds, reader = _reader(path, content)
    try:
        return reader(path, content, frames)
    except InputError:
        raise
    except MALFORMED as error:
        raise unusable(path, kinds, error) from error


def _reader(path: Path, content: Any) -> tuple[str, Callable[[Path, Any, FrameSource | None], Annotations]]:
    """The name of the format of a file's content, and its reader."""
    if isinstance(content, str):
        return "YOLO text", read_yolo
    if isinstance(content, ElementTree.Element):
        if content.tag == "annotations" and (content.find("image") is not None or content.find("track") is not None):
            return "CVAT XML", read_cvat
    elif isinstance(content, dict):
        if "shapes" in content:
            return "LabelMe JSON", read_labelme
        if {"videos", "annotations"} <= content.keys():
            return "YouTube-VIS JSON", read_youtube_vis
        if {"images", "annotations"} <= content.keys():
            return "COCO JSON", read_coco
    elif isinstance(content, list) and content and all(isinstance(task, dict) and "data" in task for task in content):
        return "Label Studio JSON", read_label_studio
    raise InputError(f"annotations {str(path)!r} are of an unknown format: give {FORMATS}")


def _load(path: Path) -> Any:
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".txt":
            return data.decode("utf-8-sig")
        return ElementTree.fromstring(data) if path.suffix.lower() == ".xml" else json.loads(data)
    except FileNotFoundError as error:
        raise InputError(f"annotations {str(path)!r} are missing: give the file") from error
    except (OSError, ElementTree.ParseError, *MALFORMED) as error:
        kind = {".txt": "text", ".xml": "XML"}.get(path.suffix.lower(), "JSON")
        raise InputError(f"annotations {str(path)!r} are no {kind} ({reason(error)}): replace the file") from error
