"""Writing masks that every tool of the field reads."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
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
    image = Image.fromarray(ids)
    image.putpalette(davis_palette().tobytes())  # all 256 entries: Pillow chooses the bit depth by the palette's length
    with _replacing(path) as partial:
        image.save(partial, format="PNG")
        with Image.open(partial) as written:
            if not np.array_equal(np.asarray(written), ids):
                raise OSError(f"{path} reads back differently from what was written")


def write_probabilities(path: Path, probs: Float32[np.ndarray, "K1 H W"], object_ids: Sequence[int]) -> None:
    """Write probabilities as a compressed .npz, whole or not at all.

    It holds `probs`, bytes (K1, H, W) that are 255 times the probabilities, background first, and `ids`, one for each.

    Args:
        path: the file; its folder is made.
        probs: in [0, 1]. Objects that are yet to come may be missing at the end.
        object_ids: the ids as they stand on disk, in the order of `probs`.
    """
    ids = np.array([0, *object_ids][: len(probs)], np.uint8)
    with _replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, probs=np.rint(255 * probs).astype(np.uint8), ids=ids)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A name to write to; what lies there takes the path's place if nothing went wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
