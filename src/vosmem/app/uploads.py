"""Files from strangers: what they say of paths is never followed, and what they unpack to is limited."""

import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vosmem.data.decoding.images import is_image
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.picture_folder import VIDEO_SUFFIXES
from vosmem.inputs.wording import counted

CHUNK = 2**20
SYSTEM_FOLDERS = ("__MACOSX",)  # what packers add of their own


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for.

    Args:
        upload_mb: megabytes of an upload, and of what an archive unpacks to.
        frames: frames of a video.
        pixels: of a frame.
    """

    upload_mb: int = 500
    frames: int = 2000
    pixels: int = 4096 * 2304

    @property
    def upload_bytes(self) -> int:
        """The same in bytes."""
        return self.upload_mb * 2**20

    def check(self, frames: FrameSource) -> None:
        """Look at a video before anything is made of it.

        Raises:
            InputError: it is too long, or its frames are too large.
        """
        width, height = frames.size
        if len(frames) > self.frames:
            raise InputError(
                f"the video has {len(frames)} frames, more than {self.frames}: cut it, or start the app with "
                f"--max-frames"
            )
        if width * height > self.pixels:
            raise InputError(f"frames of {width}x{height} are too large for the page: shrink the video to 4K or less")


def take_in(paths: Sequence[Path], folder: Path, limits: Limits) -> Path:
    """Bring what was uploaded into a folder of ours.

    Args:
        paths: one video file, one zip of frames, or pictures that are the frames.
        folder: where to; it is made.
        limits: what is too much.

    Returns:
        the video file, or the folder of its frames.

    Raises:
        InputError: it is neither of these, too large, or an archive with paths that lead elsewhere.
    """
    if not paths:
        raise InputError("nothing was uploaded: choose a video, a zip of frames, or pictures")
    if sum(path.stat().st_size for path in paths) > limits.upload_bytes:
        raise InputError(f"the upload is larger than {limits.upload_mb} MB: cut it, or start the app with --max-upload")
    if len(paths) == 1 and paths[0].suffix.lower() == ".zip":
        return unpack(paths[0], folder / paths[0].stem, limits)
    if all(is_image(path) for path in paths):
        return _copied(paths, folder / (paths[0].stem if len(paths) == 1 else "frames"), limits)
    if len(paths) == 1 and paths[0].suffix.lower() in VIDEO_SUFFIXES:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(paths[0], folder / paths[0].name))
    other = next(path for path in paths if not is_image(path))
    raise InputError(f"{other.name!r} is neither a video nor a frame: give one video, one zip of frames, or pictures")


def unpack(archive: Path, folder: Path, limits: Limits) -> Path:
    """Unpack the frames of a zip; of an entry's name the last part alone is used.

    Args:
        archive: the zip.
        folder: where to; it is made.
        limits: what is too much.

    Raises:
        InputError: the file is no zip, is damaged or locked, unpacks to too much, holds links, paths that lead
            elsewhere, no pictures, or those of several folders.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _frames_in(opened.infolist(), archive.name)
            if len(entries) > limits.frames:
                raise InputError(f"{archive.name!r} holds {len(entries)} frames, more than {limits.frames}: cut it")
            folder.mkdir(parents=True, exist_ok=True)
            left = limits.upload_bytes
            for entry in entries:
                left -= _write(opened, entry, folder / PurePosixPath(entry.filename).name, left)
                if left < 0:
                    raise InputError(f"{archive.name!r} unpacks to more than {limits.upload_mb} MB: cut it")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"{archive.name!r} cannot be unpacked ({error}): make a plain zip of the frames") from error
    return folder


def _frames_in(entries: Sequence[zipfile.ZipInfo], name: str) -> list[zipfile.ZipInfo]:
    """The pictures of an archive, once nothing in it leads elsewhere."""
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise InputError(
                f"{name!r} holds the path {entry.filename!r}, which leads elsewhere: zip the folder itself"
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"{name!r} holds the link {entry.filename!r}: zip the frames themselves")
    frames = [entry for entry in entries if not entry.is_dir() and _is_frame(PurePosixPath(entry.filename))]
    paths = {PurePosixPath(entry.filename) for entry in frames}
    folders = {path.parent for path in paths}
    if not frames:
        raise InputError(f"{name!r} holds no pictures: give a zip of one video's frames")
    if len(folders) > 1:
        raise InputError(f"{name!r} holds pictures in {counted(len(folders), 'folder')}: zip the frames of one video")
    if len(paths) < len(frames):
        raise InputError(f"{name!r} holds a frame twice: make the zip anew")
    return frames


def _is_frame(path: PurePosixPath) -> bool:
    return is_image(Path(path.name)) and path.parts[0] not in SYSTEM_FOLDERS


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Write an entry, and stop early where there is more of it than its header said; returns the bytes."""
    written = 0
    with archive.open(entry) as source, path.open("wb") as target:
        while (chunk := source.read(CHUNK)) and written <= most:
            written += target.write(chunk)
    return written


def _copied(paths: Sequence[Path], folder: Path, limits: Limits) -> Path:
    if len(paths) > limits.frames:
        raise InputError(f"{len(paths)} pictures are more than {limits.frames}: give fewer")
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if (folder / path.name).exists():
            raise InputError(f"two pictures are called {path.name!r}: give each frame its own name")
        shutil.copyfile(path, folder / path.name)
    return folder
