"""Formats of polygons, one file per frame: YOLO's segments and LabelMe's shapes."""

import json

import numpy as np

from vosmem.files import write_text
from vosmem.segmentation.formats.frame_format import Frame, FrameFormat, Labels
from vosmem.segmentation.formats.outlines import polygons

LABELME_VERSION = "5.5.0"  # of the layout, which later versions read


class Yolo(FrameFormat):
    """YOLO's segments: a line for each part of an object. A class is an object; `data.yaml` names it by its id."""

    paths = ("labels/{frame}.txt", "data.yaml")
    needs = ("images",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        size = np.array(self.video.size)
        lines = []
        for object_id, mask in self.objects(labels):
            index = self.video.object_ids.index(object_id)
            for outline in polygons(mask):
                lines.append(f"{index} " + " ".join(f"{number:.6f}" for number in (outline / size).ravel()) + "\n")
        write_text(self.path(t), "".join(lines))

    def finish(self) -> None:
        names = "".join(f"  {index}: '{object_id}'\n" for index, object_id in enumerate(self.video.object_ids))
        write_text(self.folder / self.paths[1], f"train: images\nval: images\nnames:\n{names}")


class LabelMe(FrameFormat):
    """LabelMe's files with a polygon for each part of an object; the label is the object's id."""

    paths = ("labelme/{frame}.json",)
    needs = ("images",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        width, height = self.video.size
        shapes = [
            labelme_shape(object_id, outline) for object_id, mask in self.objects(labels) for outline in polygons(mask)
        ]
        content: dict[str, object] = {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": f"../images/{self.video.frame_names[t]}.jpg",
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_text(self.path(t), json.dumps(content) + "\n")


def labelme_shape(object_id: int, outline: np.ndarray) -> dict[str, object]:
    """A polygon in LabelMe's form."""
    return {
        "label": str(object_id),
        "points": outline.tolist(),
        "group_id": None,
        "description": "",
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    }
