"""Writing of masks and probabilities, each file whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8, UInt16
from PIL import Image

from vosmem.data.decoding.palette import davis_palette, whole_palette
from vosmem.files import replacing
from vosmem.ops.masks import id_type


def write_labels(
    path: Path,
    ids: UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"],
    palette: UInt8[np.ndarray, "N 3"] | None = None,
) -> None:
    """Write object ids as a PNG: bytes with a palette (DAVIS's by default), 16-bit numbers in grey.

    Raises:
        OSError: the file could not be written, or reads back differently.
    """
    image = Image.fromarray(ids)
    if ids.dtype == np.uint8:
        # All 256 entries: Pillow chooses the bit depth by the palette's length.
        image.putpalette((davis_palette() if palette is None else whole_palette(palette)).tobytes())
    _write_png(path, image, ids)


def write_silhouette(path: Path, inside: Bool[np.ndarray, "H W"]) -> None:
    """Write one object as a grey PNG, 255 inside and 0 outside.

    Raises:
        OSError: the file could not be written, or reads back differently.
    """
    grey = np.where(inside, np.uint8(255), np.uint8(0))
    _write_png(path, Image.fromarray(grey), grey)


def write_probabilities(path: Path, probs: Float32[np.ndarray, "K1 H W"], object_ids: Sequence[int]) -> None:
    """Write probabilities as a compressed .npz.

    It holds `probs`, bytes (K1, H, W) of 255 times the probabilities, background first, and `ids`, one for each row.
    Objects that have not appeared may be missing at the end of `probs`.
    """
    ids = np.array([0, *object_ids][: len(probs)], id_type(object_ids))
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, probs=np.rint(255 * probs).astype(np.uint8), ids=ids)


def _write_png(path: Path, image: Image.Image, expected: UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"]) -> None:
    with replacing(path) as partial:
        image.save(partial, format="PNG")
        with Image.open(partial) as written:
            if not np.array_equal(np.asarray(written), expected):
                raise OSError(f"{path} reads back differently from what was written")
