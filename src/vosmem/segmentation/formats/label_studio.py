"""JSON of Label Studio: a task for each frame, whose predictions are brush masks."""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import UInt8

from vosmem.files import write_text
from vosmem.segmentation.formats.frame_format import Frame, Labels, TextFormat

CHANNELS = 4  # Label Studio stores RGBA; all channels have the value of the mask
SIZE_BITS = (3, 4, 8, 16)  # the widths of a run's length, of which each run names one
CONTROL, IMAGE = "tag", "image"  # names in the labelling configuration


def brush_run_lengths(mask: UInt8[np.ndarray, "H W"]) -> list[int]:
    """The bytes of a mask, not 0 inside, in Label Studio's run lengths.

    A header holds the number of values (32 bits), their width less one (5 bits) and the four widths of a length, each
    less one (4 bits). A run is a bit 1, the index of its width (2 bits), its length less one, and its value.
    """
    flat = (mask > 0).ravel()
    edges = np.array([0, *(np.flatnonzero(np.diff(flat)) + 1), len(flat)])
    bits = [f"{CHANNELS * len(flat):032b}", f"{7:05b}", *(f"{width - 1:04b}" for width in SIZE_BITS)]
    for start, length in zip(edges[:-1].tolist(), (CHANNELS * np.diff(edges)).tolist(), strict=True):
        value = "1" * 8 if flat[start] else "0" * 8
        while length:
            part = min(length, 2 ** SIZE_BITS[-1])
            index = next(index for index, width in enumerate(SIZE_BITS) if part <= 2**width)
            bits.append(f"1{index:02b}{part - 1:0{SIZE_BITS[index]}b}{value}")
            length -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def brush_result(object_id: int, mask: UInt8[np.ndarray, "H W"]) -> dict[str, Any]:
    """One object of a prediction."""
    height, width = mask.shape
    return {
        "id": f"object_{object_id}",
        "type": "brushlabels",
        "from_name": CONTROL,
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_run_lengths(mask), "brushlabels": [str(object_id)]},
    }


def labelling_config(object_ids: Sequence[int]) -> str:
    """The labelling configuration of a project that takes these objects as labels."""
    labels = "\n".join(f"    <Label value={quoteattr(str(object_id))}/>" for object_id in object_ids)
    return (
        f'<View>\n  <Image name="{IMAGE}" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="{CONTROL}" toName="{IMAGE}">\n{labels}\n  </BrushLabels>\n</View>\n'
    )


class LabelStudio(TextFormat):
    """One file of tasks, and the labelling configuration; the label of a mask is the object's id."""

    paths = ("label_studio.json", "label_studio.xml")
    needs = ("images",)

    def __enter__(self) -> "LabelStudio":
        super().__enter__()
        self.begin_list("[")
        return self

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        results = [brush_result(object_id, mask) for object_id, mask in self.objects(labels)]
        image = f"/data/local-files/?d=images/{self.video.frame_names[t]}.jpg"
        self.write_item({"data": {IMAGE: image}, "predictions": [{"model_version": "vosmem", "result": results}]})

    def finish(self) -> None:
        self.write("]\n")
        write_text(self.folder / self.paths[1], labelling_config(self.video.object_ids))
