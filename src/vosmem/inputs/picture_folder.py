"""Which pictures of a folder are the frames of a video, and what is left out."""

import re
from collections import Counter
from pathlib import Path

from natsort import natsorted

from vosmem.data.decoding.images import IMAGE_SUFFIXES, is_image, list_pictures
from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.wording import counted, listed

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
    *(".gif", ".dv", ".3gp", ".ogv", ".vob", ".asf", ".mxf"),
)
TAKEN = f"images ({', '.join(IMAGE_SUFFIXES)}), a video ({', '.join(VIDEO_SUFFIXES[:6])} ...), or a zip file of them"
# Files without frames that are expected in a folder of frames.
COMPANIONS = (".txt", ".json", ".xml", ".csv", ".md", ".yaml", ".yml", ".html", ".db", ".ini", ".log", ".srt", ".zip")
NO_FRAMES = "masks?|seg|segmentation|gt|labels?|annotations?|alpha|matte|thumb|thumbnail|poster|cover"
NOT_A_FRAME = re.compile(rf"(?P<rest>.*?)[-_. ]?({NO_FRAMES})", re.I)
MASK_OF_NUMBER = re.compile(rf"({NO_FRAMES})[-_. ]?(?P<number>[0-9]+)", re.I)


def visible_entries(folder: Path) -> list[Path]:
    """The entries of a folder that are not hidden, in natural order; `InputError` if it cannot be read."""
    try:
        return natsorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be read ({error.strerror}): check its permissions") from error


def seen(folder: Path) -> str:
    """The number of files of each suffix and of folders in a folder, for messages."""
    entries = visible_entries(folder)
    kinds = Counter(path.suffix.lower() or "unnamed" for path in entries if path.is_file())
    names = [f"{number} {kind}" for kind, number in kinds.most_common()]
    folders = sum(path.is_dir() for path in entries)
    return listed(names + ([counted(folders, "folder")] if folders else [])) or "nothing"


def is_video_file(path: Path) -> bool:
    """Whether a path is a file with the suffix of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def holds_frames(folder: Path) -> bool:
    """Whether a folder holds the frames of one video, not several videos.

    Raises `InputError` if it holds video files, and more pictures than could be posters or masks of them.
    """
    entries = visible_entries(folder)
    pictures, videos = [path for path in entries if is_image(path)], [path for path in entries if is_video_file(path)]
    if videos and len(pictures) > len(videos):
        raise InputError(
            f"folder {str(folder)!r} holds {counted(len(pictures), 'picture')} ({pictures[0].name} ...) and "
            f"{counted(len(videos), 'video')} ({videos[0].name} ...): name the video file, or move the frames to a "
            "folder of their own"
        )
    return bool(pictures) and not videos


def frames_in(folder: Path, mask: Path | None = None) -> tuple[list[Path], list[Note]]:
    """The pictures of a folder that are frames, in natural order, and notes on what is left out.

    A given mask file that lies in the folder is no frame. `InputError` if the folder is missing or holds no frames.
    """
    pictures, notes = list_pictures(folder), []
    given = [path for path in pictures if mask is not None and path.resolve() == mask.resolve()]
    if given and len(pictures) > 1:
        notes.append(Decision.MASK_AMONG_FRAMES.note(name=given[0].name))
        pictures.remove(given[0])
    if len(pictures) > 1:
        stems = {path.stem for path in pictures}
        matches = [(path, NOT_A_FRAME.fullmatch(path.stem)) for path in pictures]
        others = [path for path, match in matches if match and (match["rest"] in stems or not match["rest"])]
        numbered = {path: MASK_OF_NUMBER.fullmatch(path.stem) for path in pictures}
        rest = [path.stem for path, match in numbered.items() if not match]
        others += [path for path, match in numbered.items() if match and any(s.endswith(match["number"]) for s in rest)]
        if 0 < len(others) < len(pictures):
            notes.append(Decision.NO_FRAMES_BY_NAME.note(names=listed([path.name for path in others])))
            pictures = [path for path in pictures if path not in others]
    entries = [path for path in visible_entries(folder) if not is_image(path)]
    files = [path.name for path in entries if path.is_file() and path.suffix.lower() not in COMPANIONS]
    if files:
        notes.append(Decision.FILES_LEFT_OUT.note(names=listed(files)))
    inner = [
        path / one.name for path in entries if path.is_dir() for one in visible_entries(path) if is_video_file(one)
    ]
    if inner:
        names = listed([f"{path.parent.name}/{path.name}" for path in inner])
        notes.append(Decision.VIDEOS_LEFT_OUT.note(names=names))
    folders = [path.name for path in entries if path.is_dir() and any(map(is_image, visible_entries(path)))]
    if folders:
        notes.append(Decision.FOLDERS_LEFT_OUT.note(names=listed(folders)))
    return pictures, notes
