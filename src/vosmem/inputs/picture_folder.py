"""Which pictures of a folder are the frames of a video, and what else lies there."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from natsort import natsorted

from vosmem.data.decoding.images import is_image, list_pictures
from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.wording import counted, listed

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
    *(".gif", ".dv", ".3gp", ".ogv", ".vob", ".asf", ".mxf"),
)
# Files that lie beside frames and hold none.
COMPANIONS = (".txt", ".json", ".xml", ".csv", ".md", ".yaml", ".yml", ".html", ".db", ".ini", ".log", ".srt", ".zip")
NO_FRAME = re.compile(
    r"(?P<rest>.*?)[-_. ]?(masks?|seg|segmentation|gt|labels?|annotations?|alpha|matte|thumb|thumbnail|poster|cover)",
    re.I,
)


def seen(folder: Path) -> list[Path]:
    """The entries of a folder that are not hidden.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(
            f"folder {str(folder)!r} cannot be read ({error.strerror}): look at its permissions"
        ) from error


def is_video_file(path: Path) -> bool:
    """Whether a folder's entry counts as a video file."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def holds_frames(folder: Path) -> bool:
    """Whether a folder is the frames of one video rather than a place of several videos.

    Raises:
        InputError: the folder holds video files, and more pictures than could be posters or masks of them.
    """
    entries = seen(folder)
    pictures, videos = [path for path in entries if is_image(path)], [path for path in entries if is_video_file(path)]
    if videos and len(pictures) > len(videos):
        raise InputError(
            f"folder {str(folder)!r} holds {counted(len(pictures), 'picture')} ({natsorted(pictures)[0].name} ...) and "
            f"{counted(len(videos), 'video')} ({natsorted(videos)[0].name} ...): name the video file, or give the "
            "frames a folder of their own"
        )
    return bool(pictures) and not videos


def pictures_beside_videos(folder: Path) -> tuple[Note, ...]:
    """The note on pictures that a folder of videos holds."""
    names = [path.name for path in natsorted(seen(folder)) if is_image(path)]
    return (Decision.PICTURES_BESIDE_VIDEOS.note(names=listed(names)),) if names else ()


def frames_in(folder: Path, mask: Path | None = None) -> tuple[list[Path], list[Note]]:
    """The pictures of a folder that are frames, in natural order, and notes on what is left out.

    Args:
        folder: of the frames.
        mask: what is given as the mask, which is no frame if it lies among them.

    Raises:
        InputError: the folder is missing or holds no frames.
    """
    pictures, notes = list_pictures(folder), []
    given = None if mask is None else mask.resolve()
    beside = [path for path in pictures if path.resolve() == given]
    if beside and len(pictures) > 1:
        notes.append(Decision.MASK_AMONG_FRAMES.note(name=beside[0].name))
        pictures.remove(beside[0])
    no_frames = _no_frames(pictures)
    if no_frames:
        notes.append(Decision.NO_FRAMES_BY_NAME.note(names=listed([path.name for path in no_frames])))
    return [path for path in pictures if path not in no_frames], notes + _other_entries(folder)


def _no_frames(pictures: Sequence[Path]) -> Collection[Path]:
    """Pictures that are called mask or poster of another, or of all."""
    stems = {path.stem for path in pictures}
    found = []
    for path in pictures:
        match = NO_FRAME.fullmatch(path.stem)
        if match and len(pictures) > 1 and (match["rest"] in stems or not match["rest"]):
            found.append(path)
    return found if len(found) < len(pictures) else []


def _other_entries(folder: Path) -> list[Note]:
    notes, others = [], natsorted(path for path in seen(folder) if not is_image(path))
    files = [path.name for path in others if path.is_file() and path.suffix.lower() not in COMPANIONS]
    if files:
        notes.append(Decision.FILES_LEFT_OUT.note(names=listed(files)))
    folders = [path.name for path in others if path.is_dir() and any(map(is_image, seen(path)))]
    if folders:
        notes.append(Decision.FOLDERS_LEFT_OUT.note(names=listed(folders)))
    return notes
