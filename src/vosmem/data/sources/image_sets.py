"""Photographs with object masks, from the layouts they come in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted

from vosmem.data.decoding.images import image_size, is_image, read_image, read_labels
from vosmem.errors import InputError

MAX_IDS = 254


class LabelledImage(NamedTuple):
    """A photograph with its objects.

    Attributes:
        image: RGB bytes.
        labels: 0 background, every other value one object; values may have gaps.
    """

    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]


@runtime_checkable
class ImageSource(Protocol):
    """A set of stills."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What messages and sheets call a still."""
        ...

    def read(self, index: int) -> LabelledImage:
        """Decode a still; InputError if it cannot be."""
        ...

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Width and height of the picture and of its mask, from their headers."""
        ...


class PairedImages:
    """Pictures and masks that lie in files of their own.

    Args:
        pairs: what messages and sheets call each still, and the paths of its picture and its mask.
        read_mask: from a mask's path to object ids, 0 for background.
        mask_size: from a mask's path to its width and height, without decoding it.
    """

    def __init__(
        self,
        pairs: Mapping[str, tuple[Path, Path]],
        read_mask: Callable[[Path], UInt8[np.ndarray, "H W"]],
        mask_size: Callable[[Path], tuple[int, int]] = image_size,
    ):
        self._names = list(pairs)
        self.pairs = list(pairs.values())
        self._read_mask, self._mask_size = read_mask, mask_size

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """The name it was given."""
        return self._names[index]

    def read(self, index: int) -> LabelledImage:
        """Decode picture and mask."""
        image_path, mask_path = self.pairs[index]
        image, labels = read_image(image_path), self._read_mask(mask_path)
        if labels.shape != image.shape[:2]:
            raise InputError(
                f"mask {str(mask_path)!r} is {labels.shape[1]}x{labels.shape[0]}, its image "
                f"{image.shape[1]}x{image.shape[0]}: make them equal"
            )
        return LabelledImage(image, labels)

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """From both headers."""
        image_path, mask_path = self.pairs[index]
        return image_size(image_path), self._mask_size(mask_path)


class ImageMaskFolder(PairedImages):
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
        if mask_ids not in MASK_IDS:
            raise InputError(f"mask_ids={mask_ids!r} is unknown: use {', '.join(MASK_IDS)}")
        pairs = pair_up(_stems(Path(root) / images), _stems(Path(root) / masks), Path(root))
        super().__init__({f"{Path(root).name}/{stem}": pair for stem, pair in pairs.items()}, MASK_IDS[mask_ids])


def _stems(folder: Path) -> dict[Path, str]:
    """The pictures of a folder and their stems."""
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} not found: set the root of the data set")
    stems = {path: path.stem for path in folder.iterdir() if is_image(path)}
    if not stems:
        raise InputError(f"folder {str(folder)!r} holds no pictures")
    return stems


def pair_up(images: Mapping[Path, str], masks: Mapping[Path, str], root: Path) -> dict[str, tuple[Path, Path]]:
    """Pictures and masks of the same key, in the keys' natural order.

    Args:
        images: the key of every picture.
        masks: the key of every mask.
        root: what messages call the set.

    Raises:
        InputError: two files share a key, or a picture or a mask stands alone; the first ten are listed.
    """
    image_of, mask_of = _by_key(images), _by_key(masks)
    lone = [f"{image_of[key].name} has no mask" for key in natsorted(image_of.keys() - mask_of.keys())]
    lone += [f"mask {mask_of[key].name} has no image" for key in natsorted(mask_of.keys() - image_of.keys())]
    if lone:
        raise InputError(f"{len(lone)} files of {str(root)!r} do not pair: {'; '.join(lone[:10])}")
    return {key: (image_of[key], mask_of[key]) for key in natsorted(image_of)}


def _by_key(keys: Mapping[Path, str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in natsorted(keys):
        twin = files.setdefault(keys[path], path)
        if twin != path:
            raise InputError(
                f"folder {str(path.parent)!r} holds {twin.name} and {path.name}: which one is meant? "
                f"keep one of each stem"
            )
    return files


def _read_union(path: Path) -> UInt8[np.ndarray, "H W"]:
    return (read_labels(path) > 0).astype(np.uint8)


def _read_regions(path: Path) -> UInt8[np.ndarray, "H W"]:
    labels = read_labels(path)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint8) + 1


MASK_IDS = {"each": read_labels, "union": _read_union, "regions": _read_regions}
