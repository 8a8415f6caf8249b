"""Propagate the shapes that were drawn in LabelMe to the other frames of a folder.

    python -m vosmem.integrations.labelme FRAMES --output DIR [options of vosmem segment]

Frames with a JSON file of LabelMe next to them are given; each other frame gets one with polygons. Files that an
earlier call wrote are replaced, unless their shapes were changed in between: then they are given, too.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vosmem.cli import segment
from vosmem.data.decoding.images import image_size, list_pictures, read_labels
from vosmem.errors import InputError
from vosmem.files import write_text
from vosmem.segmentation.formats.outlines import polygons
from vosmem.segmentation.formats.polygon_files import LABELME_VERSION, labelme_shape

DIGEST = "vosmem"  # key of the digest of the shapes that were written; LabelMe keeps keys that it does not know
Identity = tuple[str, int | None]  # label and group_id


def propagate(frames: Path, output: Path, options: Sequence[str] = ()) -> int:
    """Write a JSON file next to each frame without one, and return the number of files.

    Args:
        frames: folder of the frames.
        output: folder of the results of `vosmem segment`.
        options: further options of `vosmem segment`.

    Raises:
        InputError: no frame has shapes, or the frames cannot be segmented.
    """
    pictures = list_pictures(frames)
    given = {path: content for path in pictures if (content := _drawn(path.with_suffix(".json"))) is not None}
    identities: dict[Identity, int] = {}
    for content in given.values():
        for shape in content["shapes"]:
            identities.setdefault((shape["label"], shape.get("group_id")), len(identities) + 1)
    if not identities:
        raise InputError(
            f"no frame of {str(frames)!r} has shapes: draw the objects of one frame in LabelMe and save it"
        )
    with TemporaryDirectory() as folder:
        for path, content in given.items():
            write_text(Path(folder, path.stem + ".json"), json.dumps(_numbered(path, content, identities)))
        segment.run([str(frames), "--mask", folder, "--output", str(output), *options])
    masks = {path: output / "masks" / f"{path.stem}.png" for path in pictures if path not in given}
    masks = {path: mask for path, mask in masks.items() if mask.is_file()}  # --frames leaves out frames
    for path, mask in masks.items():
        content = _content(path, read_labels(mask), identities)
        write_text(path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")
    return len(masks)


def _drawn(path: Path) -> dict[str, Any] | None:
    """The content of a LabelMe file that a person drew or changed; None for all others."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return None if content.get(DIGEST) == _digest(content["shapes"]) else content
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{str(path)!r} is no LabelMe file: remove it") from error


def _digest(shapes: Sequence[Mapping[str, Any]]) -> str:
    """A digest of what a person may change; LabelMe adds keys to shapes when it saves them."""
    text = json.dumps([(shape["label"], shape.get("group_id"), shape["points"]) for shape in shapes])
    return hashlib.sha256(text.encode()).hexdigest()


def _numbered(path: Path, content: Mapping[str, Any], identities: Mapping[Identity, int]) -> dict[str, Any]:
    """A given file with ids as labels, so that masks have these ids."""
    shapes = [
        {**shape, "label": str(identities[shape["label"], shape.get("group_id")]), "group_id": None}
        for shape in content["shapes"]
    ]
    return {**content, "shapes": shapes, "imagePath": path.name, "imageData": None}


def _content(path: Path, ids: np.ndarray, identities: Mapping[Identity, int]) -> dict[str, Any]:
    """The LabelMe file of a frame."""
    shapes = [
        {**labelme_shape(object_id, outline), "label": label, "group_id": group}
        for (label, group), object_id in identities.items()
        for outline in polygons((ids == object_id).astype(np.uint8))
    ]
    width, height = image_size(path)
    return {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": path.name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
        DIGEST: _digest(shapes),
    }


def main() -> None:
    """Entry point; options that are not known here are those of `vosmem segment`."""
    parser = argparse.ArgumentParser(
        prog="python -m vosmem.integrations.labelme",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("frames", type=Path, metavar="FRAMES", help="folder of frames and LabelMe files")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the results")
    options, others = parser.parse_known_args()
    try:
        count = propagate(options.frames, options.output, others)
    except InputError as error:
        sys.exit(f"vosmem: {error}")
    print(f"wrote {count} LabelMe files next to the frames")


if __name__ == "__main__":
    main()
