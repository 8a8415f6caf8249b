"""Inputs after public reports of users of other tools, what a run makes of them, and their table in the docs.

`python -m tests.inputs.public_reports` writes the table into docs/reference/files.md.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image

from tests.inputs.awkward import write_streams
from tests.inputs.made import squares, write_clip, write_frames, write_mask, write_mask_video
from vosmem.inputs.doctor import Diagnosis, inspect

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "files.md"
BEGIN, END = "<!-- reports: python -m tests.inputs.public_reports -->", "<!-- end of reports -->"
STEMS = ["f_0001", "f_0002", "f_0003"]


class Report(NamedTuple):
    """An input after a public report."""

    where: str  # owner/repository#number
    what: str  # the input
    outcome: str  # what a run does with it
    words: tuple[str, ...]  # of a note or a problem; for an input without either, none
    make: Callable[[Path], Diagnosis]
    works: bool = True
    objects: tuple[int, ...] = (1,)


def _frames(folder: Path) -> Path:
    return write_frames(folder / "clip", STEMS)


def _mask(folder: Path) -> Path:
    return write_mask(folder / "m.png", [1])


def _stack(axes: str, **options: bool) -> Callable[[Path], Diagnosis]:
    def make(folder: Path) -> Diagnosis:
        shape = (3, 2, 48, 64) if "C" in axes else (3, 48, 64)
        tifffile.imwrite(folder / "a.tif", np.zeros(shape, np.uint8), metadata={"axes": axes}, **options)
        return inspect(folder / "a.tif", _mask(folder))

    return make


def _saved_mask(write: Callable[[Path], object], name: str = "m.png") -> Callable[[Path], Diagnosis]:
    def make(folder: Path) -> Diagnosis:
        write(folder / name)
        return inspect(_frames(folder), folder / name)

    return make


def _written(text: str, name: str) -> Callable[[Path], Diagnosis]:
    return _saved_mask(lambda path: path.write_text(text), name)


def _cvat(shapes: str) -> Callable[[Path], Diagnosis]:
    image = f'<image id="0" name="f_0001.png" width="64" height="48">{shapes}</image>'
    return _written(f"<annotations>{image}</annotations>", "a.xml")


def _step(folder: Path) -> Diagnosis:
    meta = "<meta><original_size><width>64</width><height>48</height></original_size></meta>"
    track = '<track id="0"><polygon frame="5" points="2,2;20,2;20,20"/></track>'
    (folder / "a.xml").write_text(f"<annotations>{meta}{track}</annotations>")
    return inspect(write_clip(folder / "a.mp4", num_frames=8), folder / "a.xml")


def _brush(folder: Path) -> Diagnosis:
    size = {"original_width": 64, "original_height": 48}
    result = {"id": "q", "type": "brushlabels", "value": {"format": "rle", "rle": [0, 0, 0, 192, 57, 27]}, **size}
    (folder / "a.json").write_text(
        json.dumps([{"data": {"image": "f_0001.png"}, "annotations": [{"result": [result]}]}])
    )
    return inspect(_frames(folder), folder / "a.json")


def _soft(path: Path) -> None:
    large = Image.fromarray(squares([255])).resize((128, 96), Image.Resampling.BICUBIC)
    large.resize((64, 48), Image.Resampling.BICUBIC).save(path)


def _labelme(folder: Path) -> Diagnosis:
    points = [[[2, 2], [20, 2], [20, 20]], [[30, 2], [40, 2], [40, 20]]]
    shapes = [{"label": "cow", "points": own, "shape_type": "polygon", "group_id": None} for own in points]
    content = {"shapes": shapes, "imagePath": "f_0001.png", "imageHeight": 48, "imageWidth": 64}
    (folder / "a.json").write_text(json.dumps(content))
    return inspect(_frames(folder), folder / "a.json")


def _names_with_text(folder: Path) -> Diagnosis:
    return inspect(write_frames(folder / "clip", ["cam_A-000003-x", "cam_A-000010-x"]), _mask(folder))


def _thermal(folder: Path) -> Diagnosis:
    (folder / "clip").mkdir()
    for t in range(3):
        values = (21000 + np.arange(48 * 64).reshape(48, 64) // 16).astype(np.uint16)
        Image.fromarray(values).save(folder / "clip" / f"{t}.png")
    return inspect(folder / "clip", _mask(folder))


def _split(folder: Path) -> Diagnosis:
    (folder / "card").mkdir()
    for name in ("DJI_0001.MP4", "DJI_0002.MP4"):
        clip = write_clip(folder / "part.mp4", num_frames=3)
        clip.rename(folder / "card" / name)
    write_mask(folder / "masks" / "DJI_0001.png", [1])
    return inspect(folder / "card", folder / "masks")


def _thumbnail(folder: Path) -> Diagnosis:
    return inspect(write_streams(folder / "a.mp4", [(64, 48), (320, 240)], pictures_only=(1,)), _mask(folder))


def _start(folder: Path) -> Diagnosis:
    return inspect(_frames(folder), _mask(folder), start=2)


def _mask_video(frames: int) -> Callable[[Path], Diagnosis]:
    return _saved_mask(lambda path: write_mask_video(path, "libx264", ids=([255],) * frames), "m.mp4")


REPORTS = [
    Report("facebookresearch/sam2#170", "frames named with text", "read in natural order", (), _names_with_text),
    Report(
        "ilastik/ilastik#2688",
        "an ImageJ time-lapse whose axis is marked as depth",
        "refused: slices are no frames",
        ("slices",),
        _stack("ZYX", imagej=True),
        False,
    ),
    Report(
        "cgohlke/tifffile#50",
        "an ImageJ stack with two channels",
        "refused: channels are no frames",
        ("2 channels",),
        _stack("TCYX", imagej=True),
        False,
    ),
    Report(
        "ome/bioformats#3199", "an OME stack in time", "the pages are the frames", ("3 pages",), _stack("TYX", ome=True)
    ),
    Report(
        "cvat-ai/cvat#9460",
        "a CVAT mask with more run lengths than its rectangle has pixels",
        "left out with a warning",
        ("run lengths cover 900 pixels of 400",),
        _cvat(
            '<mask label="a" rle="0, 900" left="3" top="3" width="20" height="20"/>'
            '<polygon label="b" points="2,2;20,2;20,20"/>'
        ),
    ),
    Report(
        "cvat-ai/cvat#437",
        "CVAT tracks of a task with a frame step",
        "frame numbers count the frames of the whole video",
        ("in the order of the whole video",),
        _step,
    ),
    Report(
        "HumanSignal/label-studio#382",
        "a brush mask of another size than its image",
        "refused with both sizes",
        ("192 values", "12288"),
        _brush,
        False,
    ),
    Report(
        "yangchris11/samurai#26",
        "a text file with a box instead of an outline",
        "refused",
        ("outside 0 to 1",),
        _written("236 141 400 350\n", "f_0001.txt"),
        False,
    ),
    Report(
        "roboflow/supervision#2023",
        "YOLO outlines with fractions of pixels",
        "drawn by pycocotools without rounding the corners",
        (),
        _written("0 0.1 0.1 0.5 0.1 0.5 0.5\n", "f_0001.txt"),
    ),
    Report(
        "gyroflow/gyroflow#641",
        "a recording that a drone split into two files, one mask",
        "two videos; the second has no mask, which is an error",
        ("'DJI_0002' has no mask",),
        _split,
        False,
    ),
    Report(
        "mifi/lossless-cut#2349", "a drone's mp4 with a large thumbnail", "the thumbnail is no video", (), _thumbnail
    ),
    Report(
        "commaai/comma10k#3044",
        "a mask with anti-aliased edges",
        "refused; `--clean-masks` removes the edges",
        ("soft edges", "--clean-masks"),
        _saved_mask(_soft),
        False,
    ),
    Report(
        "romi/plant-3d-vision#140",
        "a black and white mask as JPEG",
        "white is the object, with a warning; a JPEG in other colours is refused",
        ("does not keep ids",),
        _saved_mask(lambda path: Image.fromarray(squares([255])).save(path, quality=80), "m.jpg"),
    ),
    Report(
        "NimaNzrii/comfyui-photoshop#27",
        "a mask whose black is 1, 1, 1",
        "object 1 is the surroundings, with a warning that no pixel is background",
        ("no pixel of it is background",),
        _saved_mask(lambda path: Image.fromarray(np.maximum(squares([255]), 1)).convert("RGB").save(path)),
    ),
    Report(
        "risqiutama/ti-slam#1",
        "16-bit thermal frames",
        "scaled by the range of the video",
        ("21000 to 21191",),
        _thermal,
    ),
    Report(
        "sczhou/ProPainter#75",
        "a black and white mask video",
        "white is the object, with a warning",
        ("at least half white",),
        _mask_video(3),
    ),
    Report(
        "sczhou/ProPainter#65",
        "a mask video with another number of frames",
        "refused with both numbers",
        ("2 frames", "3 frames"),
        _mask_video(2),
        False,
    ),
    Report(
        "KytraScript/ComfyUI_MatAnyone_Kytra#7",
        "a mask that is not that of the first frame",
        "`--start`; a warning that earlier masks stay empty",
        ("stay empty",),
        _start,
    ),
    Report(
        "wkentaro/labelme#633",
        "two shapes with one label and no group",
        "one object, with a warning",
        ("are one object: cow",),
        _labelme,
    ),
    Report(
        "hkchengrex/XMem#64",
        "a mask converted to a palette, whose ids are colours of that palette",
        "palette indices are ids; the doctor lists them",
        (),
        _saved_mask(lambda path: Image.fromarray(squares([255])).convert("RGB").convert("P").save(path)),
        objects=(225,),
    ),
]


def table() -> str:
    """All reports as a table of the docs."""
    rows = [f"| {report.what} | {report.outcome} | {report.where} |" for report in REPORTS]
    return "\n".join(["| input | result | report |", "|---|---|---|", *rows])


def in_page(page: str) -> str:
    """The page with the table of today."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(in_page(PAGE.read_text()))
