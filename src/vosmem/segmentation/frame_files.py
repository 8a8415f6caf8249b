"""The options of a segmentation, and the files that are written for each frame."""

import json
from dataclasses import dataclass
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
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import VideoWriter

DEFAULT_RATE = Fraction(24)  # frames/s of folders of frames, which have no rate

MASKS, OBJECTS, PROBABILITIES = "masks", "objects", "probabilities"
OVERLAY, ANNOTATIONS = "overlay.mp4", "annotations.json"


@dataclass(frozen=True)
class SegmentOptions:
    """The direction of propagation, and the files that are written in addition to masks and tables."""

    direction: str = "forward"  # or `backward`, `both`
    soft_masks: bool = False  # probabilities of every frame, as in `inference/output/mask_writer.py`
    per_object: bool = False  # a black and white image per object and frame
    rle: bool = False  # all masks as one COCO file
    overlay: bool = True  # a video of the masks over the frames
    report: bool = True  # an HTML page of the results


class FrameFiles:
    """A context manager that writes frames in order and completes overlay video and annotations at its end.

    The files use the ids, palette and frame names of the video.
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
        """Write all files of frame t from RGB, slots and, for soft masks, probabilities. `OSError` on failure."""
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
            categories = [{"id": 1, "name": "object"}]
            coco = {"images": self._images, "annotations": self._annotations, "categories": categories}
            write_text(self.folder / ANNOTATIONS, json.dumps(coco) + "\n")

    def _annotate(self, t: int, labels: UInt8[np.ndarray, "H W"]) -> None:
        """Collect the masks of a frame as compressed run lengths of COCO."""
        height, width = labels.shape
        file_name = f"{self.video.frame_names[t]}.png"
        self._images.append({"id": t + 1, "file_name": file_name, "width": width, "height": height})
        for slot, object_id in enumerate(self.video.object_ids, start=1):
            run_lengths = coco_mask.encode(np.asfortranarray(labels == slot))
            area = int(coco_mask.area(run_lengths))
            if area:
                self._annotations.append(
                    {
                        "id": len(self._annotations) + 1,
                        "image_id": t + 1,
                        "category_id": 1,
                        "track_id": object_id,
                        "iscrowd": 0,
                        "area": area,
                        "bbox": coco_mask.toBbox(run_lengths).tolist(),
                        "segmentation": {"size": [height, width], "counts": run_lengths["counts"].decode()},
                    }
                )


def results_complete(folder: Path, video: UserVideo, options: SegmentOptions) -> bool:
    """Whether all files of a finished run still exist: those of each frame, overlay video and annotations."""
    patterns = [folder / MASKS / "{}.png"]
    patterns += [folder / OBJECTS / str(object_id) / "{}.png" for object_id in video.object_ids if options.per_object]
    patterns += [folder / PROBABILITIES / "{}.npz"] if options.soft_masks else []
    for pattern in patterns:
        expected = {pattern.name.format(stem) for stem in video.frame_names}
        if not expected <= {path.name for path in pattern.parent.glob("*")}:
            return False
    single = [name for name, wanted in ((OVERLAY, options.overlay), (ANNOTATIONS, options.rle)) if wanted]
    return all((folder / name).is_file() for name in single)
