"""What is written of each frame of a video."""

import json
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from pycocotools import mask as coco_mask

from vosmem.files import write_text
from vosmem.inference.output.mask_writer import write_labels, write_probabilities, write_silhouette
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import slots_to_ids
from vosmem.segmentation.options import SegmentOptions
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import VideoWriter

DEFAULT_RATE = Fraction(24)  # of folders of frames, which have none

MASKS, OBJECTS, PROBABILITIES = "masks", "objects", "probabilities"
OVERLAY, ANNOTATIONS = "overlay.mp4", "annotations.json"


class FrameFiles:
    """Writes the frames of one video in their order; a context manager, at whose end video and annotations are there.

    Args:
        folder: where to.
        video: the video; its ids, palette and names are those of the files.
        options: what is asked for.
    """

    def __init__(self, folder: Path, video: UserVideo, options: SegmentOptions):
        self.folder, self.video, self.options = folder, video, options
        rate = video.rate or DEFAULT_RATE
        self._overlay = VideoWriter(folder / OVERLAY, rate) if options.overlay else None
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(
        self,
        t: int,
        frame: UInt8[np.ndarray, "H W 3"],
        labels: UInt8[np.ndarray, "H W"],
        probs: Float32[np.ndarray, "K1 H W"] | None,
    ) -> None:
        """Write everything of a frame.

        Args:
            t: its place in the video.
            frame: RGB bytes.
            labels: slots.
            probs: of background and objects, where soft masks are asked for.

        Raises:
            OSError: a file could not be written.
        """
        stem, ids = self.video.frame_names[t], self.video.object_ids
        write_labels(self.folder / MASKS / f"{stem}.png", slots_to_ids(labels, ids), self.video.palette)
        if self.options.per_object:
            for slot, object_id in enumerate(ids, start=1):
                write_silhouette(self.folder / OBJECTS / str(object_id) / f"{stem}.png", labels == slot)
        if probs is not None:
            write_probabilities(self.folder / PROBABILITIES / f"{stem}.npz", probs, ids)
        if self.options.rle:
            self._annotate(t, labels)
        if self._overlay is not None:
            self._overlay.add(overlay(frame, labels))

    def __enter__(self) -> "FrameFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._overlay is not None:
            self._overlay.__exit__(kind, error, trace)
        if self.options.rle and error is None:
            write_text(self.folder / ANNOTATIONS, json.dumps(self._coco()) + "\n")

    def _annotate(self, t: int, labels: UInt8[np.ndarray, "H W"]) -> None:
        """Note the masks of a frame in COCO's compressed form."""
        height, width = labels.shape
        file_name = f"{self.video.frame_names[t]}.png"
        self._images.append({"id": t + 1, "file_name": file_name, "width": width, "height": height})
        for slot, object_id in enumerate(self.video.object_ids, start=1):
            code = coco_mask.encode(np.asfortranarray(labels == slot))
            area = int(coco_mask.area(code))
            if area:
                self._annotations.append(
                    {
                        "id": len(self._annotations) + 1,
                        "image_id": t + 1,
                        "category_id": 1,
                        "track_id": object_id,
                        "iscrowd": 0,
                        "area": area,
                        "bbox": coco_mask.toBbox(code).tolist(),
                        "segmentation": {"size": [height, width], "counts": code["counts"].decode()},
                    }
                )

    def _coco(self) -> dict[str, Any]:
        categories = [{"id": 1, "name": "object"}]
        return {"images": self._images, "annotations": self._annotations, "categories": categories}


def results_are_there(folder: Path, video: UserVideo, options: SegmentOptions) -> bool:
    """Whether no file of a finished run was removed: those of all frames, the overlay video and the annotations."""
    kinds = [folder / MASKS / "{}.png"]
    kinds += [folder / OBJECTS / str(number) / "{}.png" for number in video.object_ids if options.per_object]
    kinds += [folder / PROBABILITIES / "{}.npz"] if options.soft_masks else []
    there = {kind: {path.name for path in kind.parent.glob("*")} for kind in kinds}
    frames = all(kind.name.format(stem) in names for kind, names in there.items() for stem in video.frame_names)
    alone = [name for name, wanted in ((OVERLAY, options.overlay), (ANNOTATIONS, options.rle)) if wanted]
    return frames and all((folder / name).is_file() for name in alone)
