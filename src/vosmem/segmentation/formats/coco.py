"""COCO's run lengths: masks by frame (COCO) and by object (YouTube-VIS)."""

import json
import tempfile
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pycocotools import mask as coco_mask

from vosmem.segmentation.formats.frame_format import Frame, Labels, TextFormat

HEAD = '{"info":{"description":"masks by vosmem"},"categories":[{"id":1,"name":"object","supercategory":"object"}]'
ABSENT = -1


def coco_run_lengths(mask: UInt8[np.ndarray, "H W"]) -> dict[str, Any]:
    """A mask of 0 and 1 as compressed run lengths in COCO's form."""
    found = coco_mask.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def box_and_area(run_lengths: dict[str, Any]) -> tuple[list[float], int]:
    """The bounding box (left, top, width, height) and the number of pixels."""
    return coco_mask.toBbox(run_lengths).tolist(), int(coco_mask.area(run_lengths))


class Coco(TextFormat):
    """One COCO file with a `track_id`, the object's id, for each annotation."""

    paths = ("coco.json",)

    def __enter__(self) -> "Coco":
        super().__enter__()
        self.begin_list(f'{HEAD},"annotations":[')
        self._frames = self._annotations = 0
        return self

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        self._frames = t + 1
        for object_id, mask in self.objects(labels):
            segmentation = coco_run_lengths(mask)
            box, area = box_and_area(segmentation)
            self._annotations += 1
            self.write_item(
                {
                    "id": self._annotations,
                    "image_id": t + 1,
                    "category_id": 1,
                    "track_id": object_id,
                    "iscrowd": 0,
                    "area": area,
                    "bbox": box,
                    "segmentation": segmentation,
                }
            )

    def finish(self) -> None:
        self.begin_list('],\n"images":[')
        width, height = self.video.size
        for t in range(self._frames):
            name = f"{self.video.frame_names[t]}.jpg"
            self.write_item({"id": t + 1, "file_name": name, "width": width, "height": height})
        self.write("]}\n")


class YouTubeVis(TextFormat):
    """One YouTube-VIS file: for each object, whose id is that of its annotation, a mask or null per frame.

    The masks of an object follow each other in the file, so those of all objects wait in a temporary file.
    """

    paths = ("youtube_vis.json",)

    def __enter__(self) -> "YouTubeVis":
        super().__enter__()
        self._waiting = self._open.enter_context(tempfile.TemporaryFile(dir=self.folder))
        self._end = 0  # of the temporary file
        self._offsets = {object_id: array("q") for object_id in self.video.object_ids}
        return self

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        for offsets in self._offsets.values():
            offsets.append(ABSENT)
        for object_id, mask in self.objects(labels):
            self._offsets[object_id][t] = self._end
            self._end += self._waiting.write(coco_run_lengths(mask)["counts"].encode() + b"\n")

    def finish(self) -> None:
        (width, height), name = self.video.size, self.video.name
        length = max(map(len, self._offsets.values()))
        shape = {"width": width, "height": height, "length": length}
        self.begin_list(f'{HEAD},\n"videos":[')
        self.write(f'{{"id":1,{json.dumps(shape)[1:-1]},"file_names":[')
        for t in range(length):
            self.write_item(f"{name}/{self.video.frame_names[t]}.jpg")
        self.begin_list(']}],\n"annotations":[')
        for index, object_id in enumerate(self._offsets):
            about = {"id": object_id, "video_id": 1, "category_id": 1, "iscrowd": 0, **shape}
            self.write(f"{',' if index else ''}\n{{{json.dumps(about)[1:-1]}")
            self._write_column(object_id, "segmentations", lambda found: found)
            self._write_column(object_id, "bboxes", lambda found: box_and_area(found)[0])
            self._write_column(object_id, "areas", lambda found: box_and_area(found)[1])
            self.write("}")
        self.write("]}\n")

    def _write_column(self, object_id: int, name: str, value: Callable[[dict[str, Any]], Any]) -> None:
        self.begin_list(f',"{name}":[')
        for found in self._run_lengths(object_id):
            self.write_item(None if found is None else value(found))
        self.write("]")

    def _run_lengths(self, object_id: int) -> Iterator[dict[str, Any] | None]:
        width, height = self.video.size
        for offset in self._offsets[object_id]:
            if offset == ABSENT:
                yield None
            else:
                self._waiting.seek(offset)
                yield {"size": [height, width], "counts": self._waiting.readline().decode().rstrip("\n")}
