"""Images with object masks, from the layouts they come in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted

from vosmem.data.decoding.images import image_size, list_pictures, read_image, read_labels
from vosmem.errors import InputError

MAX_IDS = 254
ReadMask = Callable[[Path], UInt8[np.ndarray, "H W"]]
Sizes = tuple[tuple[int, int], tuple[int, int]]  # width and height of an image and of its mask


class LabelledImage(NamedTuple):
    """An image with its objects."""

    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]


@runtime_checkable
class ImageSource(Protocol):
    """A set of images with label maps."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Name of an image in messages and contact sheets."""
        ...

    def read(self, index: int) -> LabelledImage:
        """Decode an image and its labels; InputError if a file is damaged."""
        ...

    def sizes(self, index: int) -> Sizes:
        """Width and height of an image and of its mask, from their headers."""
        ...


def read_pair(image_path: Path, mask_path: Path, read_mask: ReadMask) -> LabelledImage:
    """Decode an image and its mask.

    Raises:
        InputError: a file is missing or damaged, or the sizes differ.
    """
    image, labels = read_image(image_path), read_mask(mask_path)
    if labels.shape != image.shape[:2]:
        raise InputError(
            f"mask {str(mask_path)!r} is {labels.shape[1]}x{labels.shape[0]} but its image is "
            f"{image.shape[1]}x{image.shape[0]}: resize the mask (nearest neighbour) to the image"
        )
    return LabelledImage(image, labels)


class PairedImages:
    """Images with a mask file each.

    Args:
        pairs: paths of image and mask by the name that messages and sheets use.
        read_mask: from a mask's path to object ids, 0 for background.
        mask_size: from a mask's path to its width and height, without decoding it.
    """

    def __init__(
        self,
        pairs: Mapping[str, tuple[Path, Path]],
        read_mask: ReadMask,
        mask_size: Callable[[Path], tuple[int, int]] = image_size,
    ):
        self._names, self.pairs = list(pairs), list(pairs.values())
        self._read_mask, self._mask_size = read_mask, mask_size

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Name in `pairs`."""
        return self._names[index]

    def read(self, index: int) -> LabelledImage:
        return read_pair(*self.pairs[index], self._read_mask)

    def sizes(self, index: int) -> Sizes:
        image, mask = self.pairs[index]
        return image_size(image), self._mask_size(mask)


class ImageMaskFolder(PairedImages):
    """A folder with `images/` and `masks/` whose files pair by stem.

    Args:
        mask_ids: what the ids of a mask mean. `each`: every id is an object. `union`: all ids together are one object.
            `regions`: the ids, background included, tile the image, and any of them may be chosen as an object.
        images: name of the folder of images.
        masks: name of the folder of masks (any image type that holds ids).

    Raises:
        InputError: a folder is missing or empty, files do not pair, or `mask_ids` is unknown.
    """

    def __init__(self, root: str, mask_ids: str = "each", images: str = "images", masks: str = "masks"):
        if mask_ids not in MASK_IDS:
            raise InputError(f"mask_ids={mask_ids!r} is unknown: use {', '.join(MASK_IDS)}")
        image_of, mask_of = ({path: path.stem for path in list_pictures(Path(root) / name)} for name in (images, masks))
        pairs = pair_up(image_of, mask_of, Path(root))
        super().__init__({f"{Path(root).name}/{stem}": pair for stem, pair in pairs.items()}, MASK_IDS[mask_ids])


def pair_up(images: Mapping[Path, str], masks: Mapping[Path, str], root: Path) -> dict[str, tuple[Path, Path]]:
    """Pair images and masks of equal keys, in the keys' natural order.

    Args:
        images: the key of every image.
        masks: the key of every mask.
        root: name of the set in messages.

    Raises:
        InputError: two files share a key, or an image or a mask has no partner; the first ten are listed.
    """
    image_of, mask_of = _by_key(images), _by_key(masks)
    unpaired = [f"{image_of[key].name} has no mask" for key in natsorted(image_of.keys() - mask_of.keys())]
    unpaired += [f"mask {mask_of[key].name} has no image" for key in natsorted(mask_of.keys() - image_of.keys())]
    if unpaired:
        raise InputError(f"{len(unpaired)} files of {str(root)!r} do not pair: {'; '.join(unpaired[:10])}")
    return {key: (image_of[key], mask_of[key]) for key in natsorted(image_of)}


def _by_key(keys: Mapping[Path, str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in natsorted(keys):
        twin = files.setdefault(keys[path], path)
        if twin != path:
            raise InputError(
                f"folder {str(path.parent)!r} holds {twin.name} and {path.name}: keep one file of each stem"
            )
    return files


def _read_union(path: Path) -> UInt8[np.ndarray, "H W"]:
    return (read_labels(path) > 0).astype(np.uint8)


def _read_regions(path: Path) -> UInt8[np.ndarray, "H W"]:
    labels = read_labels(path)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint8) + 1


MASK_IDS: dict[str, ReadMask] = {"each": read_labels, "union": _read_union, "regions": _read_regions}
