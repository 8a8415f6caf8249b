"""An input for each decision of the readers, and the table of decisions in the docs.

`python -m tests.inputs.decisions` writes the table into docs/reference/files.md.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.inputs.awkward import write_cut, write_dropped, write_joined, write_streams
from tests.inputs.made import squares, write_clip, write_frames, write_mask, write_mask_video
from vosmem.data.decoding.mask_files import read_mask
from vosmem.data.decoding.notes import Decision, Note
from vosmem.inputs.doctor import inspect
from vosmem.inputs.frame_range import FrameRange
from vosmem.inputs.grabcut import strokes_by_colour
from vosmem.inputs.open import VideoInput
from vosmem.inputs.prompts import join_objects, quality_note

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "files.md"
BEGIN, END = "<!-- decisions: python -m tests.inputs.decisions -->", "<!-- end of decisions -->"


def _noted(source: Path, mask: Path | None, **options) -> Sequence[Note]:
    (video,) = inspect(source, mask, **options).videos
    assert not video.problems, video.problems
    return video.notes


def _frames(folder: Path) -> Path:
    return write_frames(folder / "clip", ["0", "1", "2"])


def _mask(folder: Path) -> Path:
    return write_mask(folder / "m.png", [1])


def _opaque(folder: Path) -> Sequence[Note]:
    picture = Image.new("RGBA", (64, 48), "white")
    picture.putalpha(Image.fromarray(squares([1]) * np.uint8(255)))
    return _with_picture(folder, picture)


def _strokes(folder: Path) -> Sequence[Note]:
    drawn = np.zeros((48, 64, 3), np.uint8)
    drawn[10:20, 10:20], drawn[30:40, 40:50] = (0, 255, 0), (255, 0, 0)
    Image.fromarray(drawn).save(folder / "strokes.png")
    return strokes_by_colour(read_mask(folder / "strokes.png", max_objects=None))[1]


def _streams(folder: Path) -> Sequence[Note]:
    """Two streams of one shape: the mask is the size of the other one."""
    return _of_video(folder, "a.ts", write_streams, [(64, 48), (96, 72)])


def _of_video(folder: Path, name: str, write, *arguments, **options) -> Sequence[Note]:
    return _noted(write(folder / name, *arguments, **options), _mask(folder))


def _ends_early(folder: Path) -> Sequence[Note]:
    clip = write_clip(folder / "a.webm", "libvpx-vp9", g=6)
    clip.write_bytes(clip.read_bytes()[: int(0.6 * clip.stat().st_size)])
    return _noted(clip, _mask(folder))


def _wide_pixels(folder: Path) -> Sequence[Note]:
    return _noted(write_clip(folder / "a.mkv", aspect="16:9"), _mask(folder))


def _turned(folder: Path) -> Sequence[Note]:
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "clip").mkdir()
    Image.new("RGB", (64, 48)).save(folder / "clip" / "0.jpg", exif=exif)
    return _noted(folder / "clip", _mask(folder))


def _turned_tiff(folder: Path) -> Sequence[Note]:
    exif = Image.Exif()
    exif[0x0112] = 3
    (folder / "clip").mkdir()
    Image.new("RGB", (64, 48)).save(folder / "clip" / "0.tif", exif=exif)
    return _noted(folder / "clip", _mask(folder))


def _turned_mask(folder: Path) -> Sequence[Note]:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(squares([1])).save(folder / "m.png", exif=exif)
    return _noted(_frames(folder), folder / "m.png")


def _twice(folder: Path) -> Sequence[Note]:
    clip = write_clip(folder / "a.mp4", num_frames=3)
    clip.write_bytes(2 * clip.read_bytes())
    return _noted(clip, _mask(folder))


def _beside(folder: Path, write: Callable[[Path], object]) -> Sequence[Note]:
    clip = _frames(folder)
    write(clip)
    return _noted(clip, _mask(folder))


def _video_below(clip: Path) -> None:
    (clip / "more").mkdir()
    write_clip(clip / "more" / "a.mp4", num_frames=1)


def _poster(folder: Path) -> Sequence[Note]:
    (folder / "videos").mkdir()
    write_clip(folder / "videos" / "a.mp4", num_frames=3)
    Image.new("RGB", (64, 48)).save(folder / "videos" / "a.png")
    return _noted(folder / "videos", _mask(folder))


def _given_among_frames(folder: Path) -> Sequence[Note]:
    clip = _frames(folder)
    return _noted(clip, write_mask(clip / "object.png", [1]))


def _resolutions(folder: Path) -> Sequence[Note]:
    for resolution in ("480p", "1080p"):
        write_frames(folder / "set" / "JPEGImages" / resolution / "cat", ["0"])
    return _noted(folder / "set", _mask(folder))


def _stack(path: Path, pictures: Sequence[Image.Image], thumbnail: bool = False) -> Path:
    first, *others = pictures
    for other in others:
        other.encoderinfo = {"tiffinfo": {254: 1}} if thumbnail else {}
    first.save(path, save_all=True, append_images=others)
    return path


def _shades(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (64, 48), (t, t, t)) for t in range(count)]


def _deep(folder: Path) -> Sequence[Note]:
    (folder / "clip").mkdir()
    Image.fromarray((np.arange(48 * 64).reshape(48, 64) % 4096).astype(np.uint16)).save(folder / "clip" / "0.png")
    return _noted(folder / "clip", _mask(folder))


def _with_masks(folder: Path, masks: dict[str, Sequence[int]], **options) -> Sequence[Note]:
    for name, ids in masks.items():
        write_mask(folder / "masks" / f"{name}.png", ids, **options)
    return _noted(_frames(folder), folder / "masks")


def _with_picture(folder: Path, picture: Image.Image, **options) -> Sequence[Note]:
    picture.save(folder / "m.png")
    return _noted(_frames(folder), folder / "m.png", **options)


def _own_masks(folder: Path) -> Sequence[Note]:
    write_frames(folder / "set" / "JPEGImages" / "cat", ["0", "1"])
    for stem in ("0", "1"):
        write_mask(folder / "set" / "Annotations" / "cat" / f"{stem}.png", [1])
    return _noted(folder / "set", None)


def _backward(folder: Path) -> Sequence[Note]:
    mask = write_mask(folder / "1.png", [1])
    return VideoInput("cat", _frames(folder), mask, False, None, 50, False, direction="backward").open().notes


def _overlap(folder: Path) -> Sequence[Note]:
    masks = np.zeros((2, 60, 80), bool)
    masks[0, 10:45, 8:68] = masks[1, 10:45, 46:68] = True
    return join_objects(list(masks))[1]


def _colours(number: int) -> Image.Image:
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[8:30, 8:30] = {0: (255, 140, 0), 1: (128, 0, 0), 2: (7, 7, 7)}[number]
    return Image.fromarray(mask)


def _soft(clean: bool) -> Callable[[Path], Sequence[Note]]:
    mask = squares([1])
    mask[30, 5:15], mask[32, 5:15], mask[34, 5:15] = 3, 4, 5
    return lambda folder: _with_picture(folder, Image.fromarray(mask), clean=clean)


def _small(folder: Path) -> Sequence[Note]:
    mask = np.zeros((480, 640), np.uint8)
    mask[100:200, 100:200], mask[3, 3] = 1, 2
    return _with_picture(folder, Image.fromarray(mask))


def _labelled(folder: Path, shapes: Sequence[dict]) -> Sequence[Note]:
    size = {"imageHeight": 48, "imageWidth": 64, "imagePath": "0.png"}
    (folder / "0.json").write_text(json.dumps({"shapes": list(shapes), **size}))
    return _noted(_frames(folder), folder / "0.json")


def _tracks(folder: Path) -> Sequence[Note]:
    size = "<original_size><width>64</width><height>48</height></original_size>"
    polygon = '<polygon frame="1" points="2,2;20,2;20,20"/>'
    (folder / "a.xml").write_text(f'<annotations><meta>{size}</meta><track id="1">{polygon}</track></annotations>')
    return _noted(_frames(folder), folder / "a.xml")


def _coco(folder: Path, *own: dict, categories: Sequence[dict] = (), **entry: object) -> Sequence[Note]:
    """Two annotations that share `entry`; `own` adds to each of them."""
    images = [{"id": k, "file_name": f"{k}.png", "height": 48, "width": 64} for k in (0, 1)]
    outline = [[1, 1, 20, 1, 20, 20]]
    added = own or ({}, {})
    entries = [{"id": k, "image_id": k, "segmentation": outline, **entry, **added[k]} for k in (0, 1)]
    content = {"images": images, "annotations": entries, "categories": categories}
    (folder / "a.json").write_text(json.dumps(content))
    return _noted(_frames(folder), folder / "a.json")


NAMED = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
RUN_LENGTHS = {"size": [48, 64], "counts": [500, 200, 48 * 64 - 700]}
POLYGON = {"label": "1", "points": [[2, 2], [20, 2], [20, 20]], "shape_type": "polygon", "group_id": None}
CASES: dict[Decision, Callable[[Path], Sequence[Note]]] = {
    Decision.RATE_VARIES: lambda folder: _of_video(folder, "a.avi", write_dropped),
    Decision.ENDS_EARLY: _ends_early,
    Decision.STREAM_CHOSEN: _streams,
    Decision.STAMPS_GO_BACK: lambda folder: _of_video(folder, "a.ts", write_joined),
    Decision.RECORDING_LEFT_OUT: _twice,
    Decision.FRAMES_MISSING: lambda folder: _of_video(folder, "a.mkv", write_cut),
    Decision.RATE_ASSUMED: lambda folder: _of_video(folder, "a.h264", write_clip),
    Decision.PIXEL_SHAPE: _wide_pixels,
    Decision.EXIF_IGNORED: _turned,
    Decision.ORIENTATION_APPLIED: _turned_tiff,
    Decision.MASK_AS_STORED: _turned_mask,
    Decision.VIDEOS_LEFT_OUT: lambda folder: _beside(folder, _video_below),
    Decision.PICTURES_BESIDE_VIDEOS: _poster,
    Decision.MASK_AMONG_FRAMES: _given_among_frames,
    Decision.FRAMES_CHOSEN: lambda folder: _noted(_frames(folder), _mask(folder), frames=FrameRange(0, 2)),
    Decision.NO_FRAMES_BY_NAME: lambda folder: _beside(folder, lambda clip: write_mask(clip / "1_mask.png", [1])),
    Decision.FILES_LEFT_OUT: lambda folder: _beside(folder, lambda clip: (clip / "2.cr2").write_text("")),
    Decision.FOLDERS_LEFT_OUT: lambda folder: _beside(folder, lambda clip: write_mask(clip / "masks" / "0.png", [1])),
    Decision.RESOLUTION_CHOSEN: _resolutions,
    Decision.PAGES_ARE_FRAMES: lambda folder: _noted(_stack(folder / "a.tif", _shades(3)), _mask(folder)),
    Decision.PAGES_LEFT_OUT: lambda folder: _noted(_stack(folder / "a.tif", _shades(2), True), _mask(folder)),
    Decision.RANGE_SCALED: _deep,
    Decision.MASK_FOR_FIRST_FRAME: lambda folder: _noted(_frames(folder), _mask(folder)),
    Decision.MASK_PAGES: lambda folder: _noted(
        _frames(folder), _stack(folder / "m.tif", [Image.fromarray(squares([1]))] * 3)
    ),
    Decision.WHITE_IS_OBJECT: lambda folder: _noted(_frames(folder), write_mask_video(folder / "m.mp4", "libx264")),
    Decision.MASKS_WITHOUT_FRAME: lambda folder: _with_masks(folder, {"0": [1], "van": [1]}),
    Decision.MASKS_NOT_USED: _own_masks,
    Decision.MASKS_EMPTY: lambda folder: _with_masks(folder, {"0": [1], "1": []}),
    Decision.EMPTY_BEFORE: lambda folder: _with_masks(folder, {"2": [1]}),
    Decision.EMPTY_AFTER: _backward,
    Decision.OBJECTS_LATE: lambda folder: _with_masks(folder, {"0": [1], "1": [1, 2]}),
    Decision.OBJECTS_OVERLAP: _overlap,
    Decision.FIRST_MASK: lambda folder: [quality_note(1, 0.9)],
    Decision.FIRST_MASK_UNCERTAIN: lambda folder: [quality_note(1, 0.3)],
    Decision.MASK_RESIZED: lambda folder: _with_masks(folder, {"0": [1]}, size=(128, 96)),
    Decision.OBJECT_VANISHES: _small,
    Decision.OBJECT_OF_255: lambda folder: _with_masks(folder, {"0": [255]}),
    Decision.VOID_OF_255: lambda folder: _with_masks(folder, {"0": [1, 255]}),
    Decision.TRANSPARENCY_IGNORED: lambda folder: _with_picture(folder, Image.fromarray(squares([1])).convert("LA")),
    Decision.EDGES_CLEANED: _soft(clean=True),
    Decision.EDGES_THIN: _soft(clean=False),
    Decision.COLOURS_NUMBERED: lambda folder: _with_picture(folder, _colours(0)),
    Decision.COLOURS_OF_DAVIS: lambda folder: _with_picture(folder, _colours(1)),
    Decision.COLOURS_GREY: lambda folder: _with_picture(folder, _colours(2)),
    Decision.STROKES_BY_COLOUR: _strokes,
    Decision.IDS_FROM_ZERO: lambda folder: _coco(folder, track_id=0),
    Decision.OBJECTS_NUMBERED: _coco,
    Decision.OBJECTS_BY_LABEL: lambda folder: _coco(folder, {"category_id": 1}, {"category_id": 1}, categories=NAMED),
    Decision.TRACKS_SHARED: lambda folder: _coco(
        folder, {"category_id": 1}, {"category_id": 2}, image_id=0, track_id=1, categories=NAMED
    ),
    Decision.OUTLINES_LEFT_OUT: lambda folder: _coco(folder, segmentation=[[1, 1, 20, 1, 20, 20], [1, 1, 2, 2]]),
    Decision.LABELS_SHARED: lambda folder: _labelled(folder, [POLYGON, POLYGON]),
    Decision.NO_BACKGROUND: lambda folder: _with_picture(folder, Image.fromarray(squares([2]) + np.uint8(1))),
    Decision.BOXES_DRAWN: lambda folder: _labelled(
        folder, [{**POLYGON, "shape_type": "rectangle", "points": [[2, 2], [9, 9]]}]
    ),
    Decision.FRAMES_BY_INDEX: _tracks,
    Decision.OBJECTS_NAMED: lambda folder: _coco(folder, track_id="fish"),
    Decision.SOME_WITHOUT_ID: lambda folder: _coco(folder, {"track_id": 4}, {}),
    Decision.CROWDS_TAKEN: lambda folder: _coco(folder, iscrowd=1, segmentation=RUN_LENGTHS),
    Decision.ENTRIES_LEFT_OUT: lambda folder: _coco(folder, {}, {"segmentation": None}),
    Decision.TRANSPARENCY_IS_MASK: _opaque,
    Decision.MASK_BY_NUMBER: lambda folder: _noted(_frames(folder), write_mask(folder / "object_0001.png", [1])),
    Decision.SHAPES_LEFT_OUT: lambda folder: _labelled(folder, [POLYGON, {**POLYGON, "shape_type": "line"}]),
}


def table() -> str:
    """All decisions as a table of the docs; values that a note names are in capitals."""
    rows = [
        f"| `{decision.name}` | {'warning' if decision.warns else 'note'} | {_shown(decision.template)} |"
        for decision in Decision
    ]
    return "\n".join(["| decision | | text |", "|---|---|---|", *rows])


def _shown(template: str) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: match[1].upper(), template).replace("|", "\\|")


def in_page(page: str) -> str:
    """The page with the table of today."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(in_page(PAGE.read_text()))
