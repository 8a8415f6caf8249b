"""Photographs with object masks, from the layouts they come in."""

from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted

from vosmem.data.images import image_size, is_image, read_image, read_labels
from vosmem.errors import InputError

MAX_IDS = 254


class Still(NamedTuple):
    """A photograph with its objects.

    Attributes:
        image: RGB bytes.
        labels: 0 background, every other value one object; values may have gaps.
    """

    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]


@runtime_checkable
class StillSource(Protocol):
    """A set of stills."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What messages and sheets call a still."""
        ...

    def read(self, index: int) -> Still:
        """Decode a still; InputError if it cannot be."""
        ...

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Width and height of the picture and of its mask, from their headers."""
        ...


class ImageMaskFolder:
    """A folder with `images/` and `masks/` whose files pair by stem.

    Args:
        root: the folder.
        mask_ids: what an id of a mask means: `each` is an object; `union`, all together are one object; `regions`, the
            ids tile the picture, background included, and any of them may be chosen as an object.
        images: name of the folder of pictures.
        masks: name of the folder of masks (any picture type that holds ids).

    Raises:
        InputError: a folder is missing or empty, files do not pair, or `mask_ids` is unknown.
    """

    def __init__(self, root: str, mask_ids: str = "each", images: str = "images", masks: str = "masks"):
        if mask_ids not in ("each", "union", "regions"):
            raise InputError(f"mask_ids={mask_ids!r} is unknown: use 'each', 'union' or 'regions'")
        self.root, self.mask_ids = Path(root), mask_ids
        self._images = _by_stem(self.root / images)
        self._masks = _by_stem(self.root / masks)
        _raise_unpaired(self._images, self._masks, self.root)
        self._stems = natsorted(self._images)

    def __len__(self) -> int:
        return len(self._stems)

    def name(self, index: int) -> str:
        """Folder and stem."""
        return f"{self.root.name}/{self._stems[index]}"

    def read(self, index: int) -> Still:
        """Decode picture and mask."""
        stem = self._stems[index]
        image, labels = read_image(self._images[stem]), read_labels(self._masks[stem])
        if labels.shape != image.shape[:2]:
            raise InputError(
                f"mask {str(self._masks[stem])!r} is {labels.shape[1]}x{labels.shape[0]}, its image "
                f"{image.shape[1]}x{image.shape[0]}: make them equal"
            )
        if self.mask_ids == "union":
            labels = (labels > 0).astype(np.uint8)
        elif self.mask_ids == "regions":
            labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint8) + 1
        return Still(image, labels)

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """From both headers."""
        stem = self._stems[index]
        return image_size(self._images[stem]), image_size(self._masks[stem])


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} not found: set the root of the data set")
    files: dict[str, Path] = {}
    for path in natsorted(folder.iterdir()):
        if not is_image(path):
            continue
        if path.stem in files:
            twins = f"{files[path.stem].name} and {path.name}"
            raise InputError(f"folder {str(folder)!r} holds {twins}: which one is meant? keep one of each stem")
        files[path.stem] = path
    if not files:
        raise InputError(f"folder {str(folder)!r} holds no pictures")
    return files


def _raise_unpaired(images: dict[str, Path], masks: dict[str, Path], root: Path) -> None:
    lone = [f"{images[stem].name} has no mask" for stem in natsorted(images.keys() - masks.keys())]
    lone += [f"mask {masks[stem].name} has no image" for stem in natsorted(masks.keys() - images.keys())]
    if lone:
        raise InputError(f"{len(lone)} files of {str(root)!r} do not pair: {'; '.join(lone[:10])}")
