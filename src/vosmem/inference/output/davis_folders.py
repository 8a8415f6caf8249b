"""Writing of videos with ground truth as a data set in DAVIS layout."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_labels
from vosmem.ops.masks import slots_to_ids


def write_davis(
    sequences: Iterable[VideoSequence], root: Path, image_set: str, quality: int = 95
) -> Iterator[VideoSequence]:
    """Write sequences in DAVIS layout, and yield each after it is written; the list of names is written last.

    `root` gets `JPEGImages/480p`, `Annotations/480p`, and the list in `ImageSets/2016` and `ImageSets/2017`. `quality`
    is that of the JPEG frames, 1 to 95.

    Raises:
        InputError: the folder holds frames or masks.
    """
    frames, masks = root / "JPEGImages" / "480p", root / "Annotations" / "480p"
    if any(folder.is_dir() and any(folder.iterdir()) for folder in (frames, masks)):
        raise InputError(f"{str(root)!r} holds a data set already: name another folder, or move the data set away")
    names = []
    for sequence in sequences:
        (frames / sequence.name).mkdir(parents=True)
        for t, stem in enumerate(sequence.frame_names):
            write_frame(frames / sequence.name / f"{stem}.jpg", sequence.frame(t), quality)
            labels = sequence.labels(t)
            if labels is not None:
                write_labels(masks / sequence.name / f"{stem}.png", slots_to_ids(labels.numpy(), sequence.object_ids))
        names.append(sequence.name)
        yield sequence
    for year in ("2016", "2017"):
        path = root / "ImageSets" / year / f"{image_set}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def write_frame(path: Path, frame: UInt8[Tensor, "3 H W"], quality: int = 95) -> None:
    """Write RGB bytes as a JPEG."""
    Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())).save(path, quality=quality)
