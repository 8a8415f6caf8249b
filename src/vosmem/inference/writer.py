"""Writing masks that every tool of the field reads."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def davis_palette() -> UInt8[np.ndarray, "256 3"]:
    """The PASCAL VOC colour map, which DAVIS uses: the bits of the id spread over red, green and blue.

    Example:
        >>> davis_palette()[:4].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    """
    ids = np.arange(256, dtype=np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        channel, weight = bit % 3, 7 - bit // 3
        palette[:, channel] |= ((ids >> bit) & 1) << weight
    return palette


def write_labels(path: Path, ids: UInt8[np.ndarray, "H W"]) -> None:
    """Write ids as a palette PNG, whole or not at all.

    Args:
        path: the file; its folder is made.
        ids: ids as they are to stand on disk.

    Raises:
        OSError: the file could not be written, or reads back as something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    image = Image.fromarray(ids)
    image.putpalette(davis_palette().tobytes())  # all 256 entries: Pillow chooses the bit depth by the palette's length
    try:
        image.save(partial, format="PNG")
        with Image.open(partial) as written:
            if not np.array_equal(np.asarray(written), ids):
                raise OSError(f"{path} reads back differently from what was written")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
