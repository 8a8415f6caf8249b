"""Public image sets as they are on disk after unpacking."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import torchvision
from jaxtyping import UInt8

from vosmem.data.decoding.images import is_image, read_labels, read_silhouette
from vosmem.data.decoding.void import VoidRule
from vosmem.data.sources.image_sets import PairedImages, pair_up
from vosmem.errors import InputError


@dataclass(frozen=True)
class Layout:
    """Folders of the images and masks of a set, and how their file names end."""

    images: str  # glob pattern of the folders with images, relative to the root; `*` matches any one folder
    masks: str
    image_ends: tuple[str, ...] = ()  # ends of the images' names; those of all image types if empty
    mask_ends: tuple[str, ...] = ()


_JPG, _PNG = (".jpg", ".jpeg"), (".png",)

# Each set first in its authors' layout, then in the layouts of common copies. Every set may also be in `images/` and
# `masks/`, or in one folder (JPEG images, PNG masks).
SALIENCY_LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "ecssd": (Layout("images", "ground_truth_mask"),),
    "msra10k": (Layout("Imgs", "Imgs", _JPG, _PNG), Layout("MSRA10K_Imgs_GT/Imgs", "MSRA10K_Imgs_GT/Imgs", _JPG, _PNG)),
    "duts": (Layout("DUTS-TR-Image", "DUTS-TR-Mask"), Layout("DUTS-TR/DUTS-TR-Image", "DUTS-TR/DUTS-TR-Mask")),
    "duts_test": (Layout("DUTS-TE-Image", "DUTS-TE-Mask"), Layout("DUTS-TE/DUTS-TE-Image", "DUTS-TE/DUTS-TE-Mask")),
    "hku_is": (Layout("imgs", "gt"),),
    "pascal_s": (Layout("datasets/imgs/pascal", "datasets/masks/pascal"), Layout("Imgs", "Imgs", _JPG, _PNG)),
    "fss1000": (Layout("*", "*", _JPG, _PNG), Layout("fewshot_data/*", "fewshot_data/*", _JPG, _PNG)),
    "big": (Layout(".", ".", ("_im.jpg",), ("_gt.png",)), Layout("*", "*", ("_im.jpg",), ("_gt.png",))),
    "hrsod": (Layout("HRSOD_train", "HRSOD_train_mask"),),
}
_TWO_FOLDERS, _ONE_FOLDER = Layout("images", "masks"), Layout(".", ".", _JPG, _PNG)


class SaliencySet(PairedImages):
    """A public set with one object an image.

    Args:
        layout: a key of `SALIENCY_LAYOUTS`.

    Raises:
        InputError: the layout is unknown, the folder is missing or has no known layout, or files do not pair.
    """

    def __init__(self, layout: str, root: str):
        if layout not in SALIENCY_LAYOUTS:
            raise InputError(f"layout {layout!r} is unknown: use one of {', '.join(SALIENCY_LAYOUTS)}")
        base = Path(root)
        if not base.is_dir():
            raise InputError(f"folder {root!r} of {layout} not found: unpack the set there or set its root")
        for candidate in (_TWO_FOLDERS, *SALIENCY_LAYOUTS[layout], _ONE_FOLDER):
            images = _files(base, candidate.images, candidate.image_ends)
            masks = _files(base, candidate.masks, candidate.mask_ends)
            if images and masks:
                break
        else:
            first = SALIENCY_LAYOUTS[layout][0]
            raise InputError(
                f"{root!r} does not hold {layout}: expected images in {first.images!r} and masks in {first.masks!r}"
            )
        pairs = pair_up(images, masks, base)
        super().__init__({f"{layout}/{key}": pair for key, pair in pairs.items()}, read_silhouette)


class VocInstances(PairedImages):
    """PASCAL VOC 2012 with one id an object (`SegmentationObject`); the void border counts as background.

    Args:
        root: folder of `VOC2012`, or one that holds `VOCdevkit/VOC2012`.
        image_set: list below `ImageSets/Segmentation`: `train`, `val` or `trainval`.
        download: whether torchvision downloads the set (2 GB) into `root` if it is missing.

    Raises:
        InputError: the set or its list is missing, or the download failed.
    """

    def __init__(self, root: str, image_set: str = "trainval", download: bool = False):
        def fetch() -> object:
            return torchvision.datasets.VOCSegmentation(root, "2012", image_set, download=True)

        folders = ("", "VOC2012", "VOCdevkit/VOC2012")
        base = _find(root, folders, "SegmentationObject", "VOC 2012", fetch if download else None)
        super().__init__(
            {
                f"voc2012/{stem}": (base / "JPEGImages" / f"{stem}.jpg", base / "SegmentationObject" / f"{stem}.png")
                for stem in _read_stems(base / "ImageSets" / "Segmentation" / f"{image_set}.txt")
            },
            _read_without_void,
        )


class SbdInstances(PairedImages):
    """The Semantic Boundaries Dataset, instance masks in MATLAB files (`inst/*.mat`).

    Args:
        root: folder that holds `img` and `inst`, or one that holds them below `dataset` or `benchmark_RELEASE/dataset`.
        image_set: list next to them: `train`, `val`, or `train_noval` (no image of VOC 2012 val).
        download: whether torchvision downloads the set (1.4 GB) into `root` if it is missing.

    Raises:
        InputError: the set or its list is missing, or the download failed.
    """

    def __init__(self, root: str, image_set: str = "train", download: bool = False):
        def fetch() -> object:
            return torchvision.datasets.SBDataset(root, image_set, "segmentation", download=True)

        base = _find(root, ("", "dataset", "benchmark_RELEASE/dataset"), "inst", "SBD", fetch if download else None)
        pairs = {
            f"sbd/{stem}": (base / "img" / f"{stem}.jpg", base / "inst" / f"{stem}.mat")
            for stem in _read_stems(base / f"{image_set}.txt")
        }
        super().__init__(pairs, _read_sbd, lambda path: _read_sbd(path).shape[::-1])


def _find(root: str, folders: tuple[str, ...], holds: str, name: str, fetch: Callable[[], object] | None) -> Path:
    """The first of some folders below the root that holds a sub-folder; downloads the set if there is none."""
    for download in (None, fetch):
        if download is not None:
            try:
                download()
            except Exception as error:  # urllib, tarfile and OS errors; all mean the same to the user
                raise InputError(
                    f"{name} could not be downloaded to {root!r} ({type(error).__name__}): unpack it there by hand"
                ) from error
        for folder in folders:
            if (Path(root) / folder / holds).is_dir():
                return Path(root) / folder
    raise InputError(f"{root!r} does not hold {name}: expected folder {holds} below it, or set download=true")


def _files(base: Path, pattern: str, ends: tuple[str, ...]) -> dict[Path, str]:
    """Images of the folders that match a pattern, each with its key: the folder that `*` matched, and the stem."""
    folders = [base] if pattern == "." else sorted(folder for folder in base.glob(pattern) if folder.is_dir())
    keys = {}
    for folder in folders:
        prefix = f"{folder.name}/" if pattern.endswith("*") else ""
        for path in folder.iterdir():
            end = next((end for end in ends or (path.suffix,) if path.name.lower().endswith(end.lower())), None)
            if end is not None and is_image(path):
                keys[path] = prefix + path.name[: -len(end)]
    return keys


def _read_stems(path: Path) -> list[str]:
    if not path.is_file():
        lists = ", ".join(sorted(other.stem for other in path.parent.glob("*.txt"))) or "none"
        raise InputError(f"list {str(path)!r} not found: use one of the lists there: {lists}")
    stems = path.read_text(encoding="utf-8").split()
    if not stems:
        raise InputError(f"list {str(path)!r} is empty: write one image's name a line")
    return stems


def _read_without_void(path: Path) -> UInt8[np.ndarray, "H W"]:
    return read_labels(path, VoidRule(is_object=False))


def _read_sbd(path: Path) -> UInt8[np.ndarray, "H W"]:
    try:
        instances = scipy.io.loadmat(path, variable_names=["GTinst"])["GTinst"]
        return np.array(instances["Segmentation"][0, 0], dtype=np.uint8)
    except FileNotFoundError as error:
        raise InputError(f"mask {str(path)!r} cannot be read (missing): replace the file") from error
    except Exception as error:  # scipy raises many kinds on damaged files; all mean the same to the user
        raise InputError(f"mask {str(path)!r} holds no SBD instances ({type(error).__name__}): replace it") from error
