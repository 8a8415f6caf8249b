"""Where the frames and masks of public video sets lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from natsort import natsorted

from vosmem.data.decoding.images import is_image
from vosmem.errors import InputError, warn

SHOWN = 5


class VideoFolders(NamedTuple):
    """One video of a set.

    Attributes:
        name: of the video.
        frames: folder of its pictures.
        masks: folder of its masks.
    """

    name: str
    frames: Path
    masks: Path


def davis_folders(
    root: str, year: int, image_set: str, resolution: str, names: Sequence[str] | None = None
) -> list[VideoFolders]:
    """Videos of a folder in DAVIS layout.

    Args:
        root: holds `JPEGImages/`, `Annotations/` and `ImageSets/`.
        year: whose lists are looked for first.
        image_set: name of the list, `val` for example.
        resolution: folder below `JPEGImages` and `Annotations`.
        names: videos to take instead of the whole list.

    Raises:
        InputError: root or list is missing, or a name is not in the list.
    """
    base = _existing(root)
    listed = _read_list(base, year, image_set)
    _raise_unknown(names, listed, f"the {image_set} list of {root!r}")
    frames, masks = base / "JPEGImages" / resolution, base / "Annotations" / resolution
    return [VideoFolders(name, frames / name, masks / name) for name in (names or listed)]


def plain_folders(root: str, names: Sequence[str] | None = None) -> list[VideoFolders]:
    """Videos of a folder with `JPEGImages/<video>` and `Annotations/<video>`: YouTube-VOS, MOSE, LVOS, anybody's own.

    Args:
        root: the folder.
        names: videos to take instead of all that have masks; a warning names those that have none.

    Raises:
        InputError: a folder is missing, there is no video, or a name is none of them.
    """
    base = _existing(root)
    frames, masks = base / "JPEGImages", base / "Annotations"
    for folder in (frames, masks):
        if not folder.is_dir():
            raise InputError(f"folder {str(folder)!r} not found: frames lie in JPEGImages, masks in Annotations")
    there = natsorted(path.name for path in masks.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not there:
        raise InputError(f"folder {str(masks)!r} holds no video: make one folder of masks for each")
    _raise_unknown(names, there, f"the videos of {root!r}")
    if not names:
        _warn_of_unmasked(frames, masks, there)
    return [VideoFolders(name, frames / name, masks / name) for name in (names or there)]


def list_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order.

    Raises:
        InputError: the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} not found")
    pictures = natsorted(path for path in folder.iterdir() if is_image(path))
    if not pictures:
        raise InputError(f"folder {str(folder)!r} holds no pictures")
    return pictures


def _existing(root: str) -> Path:
    if not Path(root).is_dir():
        raise InputError(
            f"data set root {root!r} not found: set eval_set.root=PATH (train_videos.root, datamodule.root) to the "
            f"folder that "
            f"holds JPEGImages"
        )
    return Path(root)


def _warn_of_unmasked(frames: Path, masks: Path, masked: Sequence[str]) -> None:
    inner = {path.name for path in frames.iterdir() if path.is_dir() and not path.name.startswith(".")}
    unmasked = natsorted(inner - set(masked))
    if unmasked:
        named = f"{', '.join(unmasked[:SHOWN])}{', ...' if len(unmasked) > SHOWN else ''}"
        warn(
            f"{len(unmasked)} of {len(inner)} videos of {str(frames)!r} have no folder of masks in {str(masks)!r}, and "
            f"are left out: {named}"
        )


def _raise_unknown(names: Sequence[str] | None, listed: Sequence[str], where: str) -> None:
    unknown = [name for name in names or [] if name not in listed]
    if unknown:
        raise InputError(f"sequence {unknown[0]!r} is not in {where}, which starts {', '.join(listed[:3])}")


def _read_list(root: Path, year: int, image_set: str) -> list[str]:
    """Names of the sequences; the lists of 2016 may hold pairs of paths instead."""
    candidates = [root / "ImageSets" / folder / f"{image_set}.txt" for folder in (str(year), "480p", "2016", "2017")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(f"no list {image_set}.txt below {str(root / 'ImageSets')!r}: expected {candidates[0]}")
    names: dict[str, None] = {}
    for line in found.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            first = line.split()[0]
            names[Path(first).parent.name if "/" in first else first] = None
    if not names:
        raise InputError(f"list {str(found)!r} is empty: write one sequence name a line")
    return list(names)
