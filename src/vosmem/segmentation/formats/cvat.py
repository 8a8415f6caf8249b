"""XML of CVAT for images 1.1, with masks as run lengths."""

from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np
from jaxtyping import UInt8

from vosmem.segmentation.formats.frame_format import Frame, Labels, TextFormat

LABEL, ID = "object", "track_id"
ATTRIBUTES = (
    f"<attributes><attribute><name>{ID}</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute></attributes>"
)


class CvatMask(NamedTuple):
    """A mask within its bounding box.

    Attributes:
        rle: run lengths, row by row, outside first.
        left: first column of the box; the others likewise.
    """

    rle: list[int]
    left: int
    top: int
    width: int
    height: int


def cvat_mask(mask: UInt8[np.ndarray, "H W"]) -> CvatMask:
    """A mask that is not empty, of 0 and 1, as CVAT stores it.

    Example:
        >>> cvat_mask(np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1]], np.uint8))
        CvatMask(rle=[0, 2, 1, 1], left=1, top=1, width=2, height=2)
    """
    left, top, width, height = cv2.boundingRect(mask)
    flat = mask[top : top + height, left : left + width].ravel()
    starts = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *starts, len(flat)]).tolist()
    return CvatMask([0, *lengths] if flat[0] else lengths, left, top, width, height)


class Cvat(TextFormat):
    """One XML file. The id of a mask's object is its group and, where the label has it, its attribute `track_id`.

    The task needs a label called `object`; CVAT leaves out attributes that the label does not have.
    """

    paths = ("cvat.xml",)

    def __enter__(self) -> "Cvat":
        super().__enter__()
        width, height = self.video.size
        self.write(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
            f"<meta><task><name>{escape(self.video.name)}</name><size>{len(self.video)}</size><mode>annotation</mode>"
            f"<labels><label><name>{LABEL}</name><type>mask</type>{ATTRIBUTES}</label></labels>"
            f"<original_size><width>{width}</width><height>{height}</height></original_size></task></meta>\n"
        )
        return self

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        width, height = self.video.size
        name = quoteattr(f"{self.video.frame_names[t]}.jpg")
        self.write(f'<image id="{t}" name={name} width="{width}" height="{height}">\n')
        for object_id, mask in self.objects(labels):
            found = cvat_mask(mask)
            self.write(
                f'<mask label="{LABEL}" source="auto" occluded="0" rle="{", ".join(map(str, found.rle))}" '
                f'left="{found.left}" top="{found.top}" width="{found.width}" height="{found.height}" z_order="0" '
                f'group_id="{object_id}"><attribute name="{ID}">{object_id}</attribute></mask>\n'
            )
        self.write("</image>\n")

    def finish(self) -> None:
        self.write("</annotations>\n")
