"""Public sets of stills as they lie on disk after unpacking."""

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
    """Where the pictures and the masks of a set stand: folder patterns, and what a file's name must end with.

    Attributes:
        images: pattern of the folders with pictures, relative to the root; a star stands for any one folder.
        masks: pattern of the folders with masks.
        image_ends: ends of the pictures' names; those of all picture types if empty.
        mask_ends: ends of the masks' names.
    """

    images: str
    masks: str
    image_ends: tuple[str, ...] = ()
    mask_ends: tuple[str, ...] = ()


_JPG, _PNG = (".jpg", ".jpeg"), (".png",)

# Each set in the form its authors publish, then in those in which it is passed on. Every set may also lie in `images/`
# and `masks/`, or all in one folder (JPEG pictures, PNG masks).
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
    """A public set with one object a picture.

    Args:
        layout: name of the set: `ecssd`, `msra10k`, `duts`, `duts_test`, `hku_is`, `pascal_s`, `fss1000`, `big` or
            `hrsod`.
        root: its folder.

    Raises:
        InputError: the name is unknown, the folder is missing or holds the set in no known form, or files do not pair.
    """

    def __init__(self, layout: str, root: str):
        if layout not in SALIENCY_LAYOUTS:
            raise InputError(f"layout {layout!r} is unknown: use one of {', '.join(SALIENCY_LAYOUTS)}")
        base = _existing(Path(root), layout)
        for form in (_TWO_FOLDERS, *SALIENCY_LAYOUTS[layout], _ONE_FOLDER):
            images = _files(base, form.images, form.image_ends)
            masks = _files(base, form.masks, form.mask_ends)
            if images and masks:
                break
        else:
            form = SALIENCY_LAYOUTS[layout][0]
            raise InputError(
                f"{root!r} does not hold {layout}: expected pictures in {form.images!r} and masks in {form.masks!r}"
            )
        pairs = pair_up(images, masks, base)
        super().__init__({f"{layout}/{key}": pair for key, pair in pairs.items()}, read_silhouette)


class VocInstances(PairedImages):
    """PASCAL VOC 2012 with one id an object (`SegmentationObject`); the void border counts as background.

    Args:
        root: folder of `VOC2012`, or one that holds `VOCdevkit/VOC2012`.
        image_set: list below `ImageSets/Segmentation`: `train`, `val` or `trainval`.
        download: whether torchvision fetches the set (2 GB) into `root` if it is not there.

    Raises:
        InputError: the set or its list is missing, a listed file is missing, or the download failed.
    """

    def __init__(self, root: str, image_set: str = "trainval", download: bool = False):
        base = _first(Path(root), ("", "VOC2012", "VOCdevkit/VOC2012"), "SegmentationObject")
        if base is None and download:
            _fetch(
                lambda: torchvision.datasets.VOCSegmentation(root, "2012", image_set, download=True), "VOC 2012", root
            )
            base = _first(Path(root), ("VOCdevkit/VOC2012",), "SegmentationObject")
        if base is None:
            raise InputError(f"{root!r} does not hold VOC 2012: expected SegmentationObject below it, or download=true")
        stems = _read_stems(base / "ImageSets" / "Segmentation" / f"{image_set}.txt")
        pairs = {
            f"voc2012/{stem}": (base / "JPEGImages" / f"{stem}.jpg", base / "SegmentationObject" / f"{stem}.png")
            for stem in stems
        }
        super().__init__(pairs, _read_without_void)


class SbdInstances(PairedImages):
    """The Semantic Boundaries Dataset, instance masks in MATLAB files (`inst/*.mat`).

    Args:
        root: folder that holds `img` and `inst`, or one that holds them below `dataset` or `benchmark_RELEASE/dataset`.
        image_set: list beside them: `train`, `val`, or `train_noval` (no picture of VOC 2012 val).
        download: whether torchvision fetches the set (1.4 GB) into `root` if it is not there.

    Raises:
        InputError: the set or its list is missing, or the download failed.
    """

    def __init__(self, root: str, image_set: str = "train", download: bool = False):
        places = ("", "dataset", "benchmark_RELEASE/dataset")
        base = _first(Path(root), places, "inst")
        if base is None and download:
            fetch = torchvision.datasets.SBDataset
            _fetch(lambda: fetch(root, image_set, "segmentation", download=True), "SBD", root)
            base = _first(Path(root), places, "inst")
        if base is None:
            raise InputError(f"{root!r} does not hold SBD: expected folders img and inst below it, or download=true")
        pairs = {
            f"sbd/{stem}": (base / "img" / f"{stem}.jpg", base / "inst" / f"{stem}.mat")
            for stem in _read_stems(base / f"{image_set}.txt")
        }
        super().__init__(pairs, _read_sbd, lambda path: _read_sbd(path).shape[::-1])


def _existing(base: Path, what: str) -> Path:
    if not base.is_dir():
        raise InputError(f"folder {str(base)!r} of {what} not found: unpack the set there or set its root")
    return base


def _files(base: Path, pattern: str, ends: tuple[str, ...]) -> dict[Path, str]:
    """Pictures of the folders that fit a pattern, each with its key: the folders that stars stood for, and its stem."""
    folders = [base] if pattern == "." else sorted(folder for folder in base.glob(pattern) if folder.is_dir())
    found = {}
    for folder in folders:
        starred = [f"{folder.name}/"] if pattern.endswith("*") else []
        for path in folder.iterdir():
            end = next((end for end in ends or (path.suffix,) if path.name.lower().endswith(end.lower())), None)
            if end is not None and is_image(path):
                found[path] = "".join(starred) + path.name.removesuffix(path.name[-len(end) :])
    return found


def _first(root: Path, places: tuple[str, ...], holds: str) -> Path | None:
    return next((root / place for place in places if (root / place / holds).is_dir()), None)


def _read_stems(path: Path) -> list[str]:
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.txt"))) or "none"
        raise InputError(f"list {str(path)!r} not found: lists there: {there}")
    stems = path.read_text(encoding="utf-8").split()
    if not stems:
        raise InputError(f"list {str(path)!r} is empty: write one picture's name a line")
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


def _fetch(download: Callable[[], object], what: str, root: str) -> None:
    try:
        download()
    except Exception as error:  # urllib, tarfile and OS errors; all mean the same to the user
        raise InputError(
            f"{what} could not be downloaded to {root!r} ({type(error).__name__}): unpack it there by hand"
        ) from error
