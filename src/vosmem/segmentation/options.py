"""What is asked of the segmentation of a video."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentOptions:
    """Which way a video is segmented, and what is written beside masks and tables.

    Args:
        direction: `forward`, `backward` or `both`.
        soft_masks: probabilities of every frame, as `inference/output/mask_writer.py` writes them.
        per_object: a black and white picture for each object and frame.
        rle: all masks as one COCO file.
        overlay: a video of the masks over the frames.
        report: a page that shows everything.
    """

    direction: str = "forward"
    soft_masks: bool = False
    per_object: bool = False
    rle: bool = False
    overlay: bool = True
    report: bool = True
