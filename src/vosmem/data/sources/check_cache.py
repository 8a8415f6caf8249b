"""Which data sets passed their check before, so that the next training need not look at every file again."""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from vosmem.data.sources.coco import CocoInstances
from vosmem.data.sources.image_sets import ImageSource, PairedImages
from vosmem.data.sources.joined import CachedImages, JoinedImages, JoinedVideos, Subset
from vosmem.data.sources.training_videos import MaskedFrames, RenderedTraining, TrainingVideo
from vosmem.files import write_text

CACHE = "VOSMEM_CACHE"  # the variable that names the folder of what is kept between runs


def check_once(check: Callable[[], None], files: Sequence[Path] | None, what: str) -> bool:
    """Run a check, unless the same check passed before on the same files at the same modification times.

    Only a check that passes is remembered.

    Args:
        check: raises InputError if it fails.
        files: all files that it looks at; None if they are not known, and the check always runs.
        what: names the check and its settings.

    Returns:
        whether the check ran.

    Raises:
        InputError: as of the check.
    """
    key = _fingerprint(files, what) if files else None
    if key is None:
        check()
        return True
    passed = _folder() / "checked" / key
    if passed.is_file():
        return False
    check()
    with suppress(OSError):  # without a place to write to, the next run checks again
        write_text(passed, f"{what}: {len(files or ())} files\n")
    return True


def files_of(source: ImageSource | Sequence[TrainingVideo]) -> list[Path] | None:
    """All files that a set consists of, in its order; None for a set of another class than those of this package.

    Args:
        source: images with masks, or videos. Sets that are made and not read have no files.
    """
    match source:
        case JoinedImages() | JoinedVideos():
            return _joined([files_of(part) for part in source.sources])
        case Subset() | CachedImages():
            return files_of(source.source)
        case PairedImages():
            return [path for pair in source.pairs for path in pair]
        case CocoInstances():
            return [source.annotations, *(source.images / source.name(index) for index in range(len(source)))]
        case RenderedTraining():
            return []
        case list():
            return _joined([_files_of_video(video) for video in source])
        case _:
            return None


def _files_of_video(video: TrainingVideo) -> list[Path] | None:
    return [path for pair in video.pairs for path in pair] if isinstance(video, MaskedFrames) else None


def _joined(parts: Sequence[list[Path] | None]) -> list[Path] | None:
    known = [part for part in parts if part is not None]
    return [path for part in known for path in part] if len(known) == len(parts) else None


def _fingerprint(files: Sequence[Path], what: str) -> str | None:
    """Hash of the check and of the files' names, sizes and times; None where a file cannot be asked for them."""
    digest = hashlib.sha256(f"{version('vosmem')} {what}".encode())
    try:
        for path in files:
            state = path.stat()
            digest.update(f"\n{os.path.abspath(path)} {state.st_size} {state.st_mtime_ns}".encode())
    except OSError:
        return None
    return digest.hexdigest()


def _folder() -> Path:
    named = os.environ.get(CACHE)
    return Path(named) if named else Path.home() / ".cache" / "vosmem"
