"""Options of the segmentation of a video."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentOptions:
    """The direction of propagation, and the files that are written in addition to masks and tables."""

    direction: str = "forward"  # or `backward`, `both`
    soft_masks: bool = False  # probabilities of every frame, as in `inference/output/mask_writer.py`
    per_object: bool = False  # a black and white image per object and frame
    rle: bool = False  # all masks as one COCO file
    overlay: bool = True  # a video of the masks over the frames
    report: bool = True  # an HTML page of the results
