"""Options of the segmentation of a video."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentOptions:
    """The direction of propagation, and the files that are written in addition to masks and tables.

    Args:
        direction: `forward`, `backward` or `both`.
        soft_masks: probabilities of every frame, in the format of `inference/output/mask_writer.py`.
        per_object: a black and white image per object and frame.
        rle: all masks as one COCO file.
        overlay: a video of the masks over the frames.
        report: an HTML page of the results.
    """

    direction: str = "forward"
    soft_masks: bool = False
    per_object: bool = False
    rle: bool = False
    overlay: bool = True
    report: bool = True
