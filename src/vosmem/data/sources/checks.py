"""Checks of the training data before training starts, and a cache of the checks that passed."""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.data.sources.coco import CocoInstances
from vosmem.data.sources.image_sets import ImageSource, LabelledImage, PairedImages, Sizes
from vosmem.data.sources.joined import CachedImages, JoinedImages, JoinedVideos, Subset
from vosmem.data.sources.training_videos import MaskedFrames, TrainingVideo
from vosmem.errors import InputError
from vosmem.files import write_text

CACHE = "VOSMEM_CACHE"  # environment variable with the folder of what is kept between runs
SHOWN = 10


def check_videos(videos: Sequence[TrainingVideo], num_frames: int, decode: bool = False) -> None:
    """Read the header of every frame and mask of a set of videos.

    Raises:
        InputError: a video is shorter than a clip, or frames or masks cannot be opened or differ in size; the message
            lists the first ten and the count.
    """
    faults, total = [], 0
    for video in videos:
        total += len(video)
        if len(video) < num_frames:
            faults.append(f"video {video.name}: {len(video)} frames with masks, a clip takes {num_frames}")
        for t in range(len(video)):
            read = partial(video.read, t) if decode else None
            faults += _faults(partial(video.sizes, t), f"{video.name}, frame {t}", read)
    _raise_faults(faults, f"{total} frames of {len(videos)} videos")


def check_images(source: ImageSource, decode: bool = False) -> None:
    """Read the header of every image and mask of a set.

    Raises:
        InputError: images or masks cannot be opened or differ in size; the message lists the first ten and the count.
    """
    faults = []
    for index in range(len(source)):
        read = partial(source.read, index) if decode else None
        faults += _faults(partial(source.sizes, index), source.name(index), read)
    _raise_faults(faults, f"{len(source)} images")


def _faults(sizes: Callable[[], Sizes], name: str, read: Callable[[], LabelledImage] | None) -> list[str]:
    try:
        image, mask = sizes()
        if image != mask:
            return [f"{name}: image {image[0]}x{image[1]}, mask {mask[0]}x{mask[1]}"]
        if read is not None:
            read()
    except InputError as error:
        return [str(error)]
    return []


def _raise_faults(faults: list[str], of: str) -> None:
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise InputError(f"{len(faults)} of {of} cannot be used: {'; '.join(faults[:SHOWN])}{more}")


def check_once(check: Callable[[], None], files: Sequence[Path] | None, what: str) -> bool:
    """Run a check, unless it passed before on the same files with the same modification times.

    Args:
        check: raises InputError if it fails. Only a check that passes is cached.
        files: all files that the check reads; None if they are unknown, which disables the cache.
        what: name of the check and its settings.

    Returns:
        whether the check ran.
    """
    key = _fingerprint(files, what) if files else None
    if key is None:
        check()
        return True
    folder = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "vosmem")
    passed = folder / "checked" / key
    if passed.is_file():
        return False
    check()
    with suppress(OSError):  # if the cache is not writable, the next run checks again
        write_text(passed, f"{what}: {len(files or ())} files\n")
    return True


def files_of(source: ImageSource | Sequence[TrainingVideo]) -> list[Path] | None:
    """All files of a set of images or videos, in its order; None for a class that is not of this package.

    Rendered sets have no files.
    """
    match source:
        case JoinedImages() | JoinedVideos():
            return _concatenated([files_of(part) for part in source.sources])
        case Subset() | CachedImages():
            return files_of(source.source)
        case PairedImages():
            return [path for pair in source.pairs for path in pair]
        case CocoInstances():
            return [source.annotations, *(source.images / source.name(index) for index in range(len(source)))]
        case RenderedVideos():
            return []
        case list():
            return _concatenated([_files_of_video(video) for video in source])
        case _:
            return None


def _files_of_video(video: TrainingVideo) -> list[Path] | None:
    return [path for pair in video.pairs for path in pair] if isinstance(video, MaskedFrames) else None


def _concatenated(parts: Sequence[list[Path] | None]) -> list[Path] | None:
    known = [part for part in parts if part is not None]
    return [path for part in known for path in part] if len(known) == len(parts) else None


def _fingerprint(files: Sequence[Path], what: str) -> str | None:
    """Hash of the check and of the files' names, sizes and times; None if a file cannot be read."""
    digest = hashlib.sha256(f"{version('vosmem')} {what}".encode())
    try:
        for path in files:
            state = path.stat()
            digest.update(f"\n{os.path.abspath(path)} {state.st_size} {state.st_mtime_ns}".encode())
    except OSError:
        return None
    return digest.hexdigest()
