"""Uploaded files, which are not trusted: paths inside archives are never followed, and sizes are limited."""

import shutil
import stat
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vosmem.data.decoding.images import IMAGE_SUFFIXES, is_image
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.picture_folder import VIDEO_SUFFIXES
from vosmem.inputs.wording import counted

CHUNK_BYTES = 2**20
SYSTEM_FOLDERS = ("__MACOSX",)  # added by archivers


@dataclass(frozen=True)
class Limits:
    """Limits of one session."""

    upload_mb: int = 500  # of an upload, and of the unpacked files of an archive
    frames: int = 2000  # of a video
    pixels: int = 4096 * 2304  # of a frame

    @property
    def upload_bytes(self) -> int:
        """`upload_mb` in bytes."""
        return self.upload_mb * 2**20

    def check(self, frames: FrameSource) -> None:
        """Raise `InputError` if a video is too long or its frames are too large."""
        width, height = frames.size
        if len(frames) > self.frames:
            raise InputError(
                f"the video has {len(frames)} frames, more than {self.frames}: cut it, or start the app with "
                f"--max-frames"
            )
        if width * height > self.pixels:
            raise InputError(f"frames of {width}x{height} are too large for the page: shrink the video to 4K or less")


def import_upload(paths: Sequence[Path], folder: Path, limits: Limits) -> Path:
    """Copy or unpack an upload into a folder: one video file, one zip of frames, or pictures that are the frames.

    Returns the video file, or the folder of its frames. Raises `InputError` if the upload is none of these, too large,
    or an archive with unsafe paths.
    """
    if not paths:
        raise InputError("nothing was uploaded: choose a video, a zip of frames, or pictures")
    if sum(path.stat().st_size for path in paths) > limits.upload_bytes:
        raise InputError(f"the upload is larger than {limits.upload_mb} MB: cut it, or start the app with --max-upload")
    first = paths[0]
    if len(paths) == 1 and first.suffix.lower() == ".zip":
        return unpack(first, folder / first.stem, limits)
    if all(map(is_image, paths)):
        return _copy(paths, folder / (first.stem if len(paths) == 1 else "frames"), limits)
    if len(paths) == 1 and first.suffix.lower() in VIDEO_SUFFIXES:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(first, folder / first.name))
    other = next(path for path in paths if not is_image(path))
    raise InputError(f"{other.name!r} is neither a video nor a frame: give one video, one zip of frames, or pictures")


def unpack(archive: Path, folder: Path, limits: Limits, suffixes: Collection[str] = IMAGE_SUFFIXES) -> Path:
    """Unpack the frames, or masks with other suffixes, of a zip into a folder, each under the last part of its path.

    Raises `InputError` if the file is no zip, is damaged or encrypted, unpacks to too much, or holds links, unsafe
    paths, no file with one of the suffixes, or such files in several folders.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _frames_in(opened.infolist(), archive.name, suffixes)
            if len(entries) > limits.frames:
                raise InputError(f"{archive.name!r} holds {len(entries)} frames, more than {limits.frames}: cut it")
            folder.mkdir(parents=True, exist_ok=True)
            left = limits.upload_bytes
            for entry in entries:
                path = folder / PurePosixPath(entry.filename).name
                # A header may understate the size, so reading stops at the limit.
                with opened.open(entry) as source, path.open("wb") as target:
                    while left >= 0 and (chunk := source.read(CHUNK_BYTES)):
                        left -= target.write(chunk)
                if left < 0:
                    raise InputError(f"{archive.name!r} unpacks to more than {limits.upload_mb} MB: cut it")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"{archive.name!r} cannot be unpacked ({error}): make a plain zip of the frames") from error
    return folder


def _frames_in(entries: Sequence[zipfile.ZipInfo], name: str, suffixes: Collection[str]) -> list[zipfile.ZipInfo]:
    """The files with one of the suffixes in an archive whose paths are all safe."""
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise InputError(
                f"{name!r} holds the path {entry.filename!r}, which leads elsewhere: zip the folder itself"
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"{name!r} holds the link {entry.filename!r}: zip the frames themselves")
    path_of = {entry: PurePosixPath(entry.filename) for entry in entries if not entry.is_dir()}
    frames = [
        entry
        for entry, path in path_of.items()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.parts[0] not in SYSTEM_FOLDERS
    ]
    paths = {path_of[entry] for entry in frames}
    num_folders = len({path.parent for path in paths})
    if not frames:
        raise InputError(f"{name!r} holds no pictures: give a zip of the frames, or of masks, of one video")
    if num_folders > 1:
        raise InputError(f"{name!r} holds pictures in {counted(num_folders, 'folder')}: zip those of one video")
    if len(paths) < len(frames):
        raise InputError(f"{name!r} holds a frame twice: make a new zip")
    return frames


def _copy(paths: Sequence[Path], folder: Path, limits: Limits) -> Path:
    if len(paths) > limits.frames:
        raise InputError(f"{len(paths)} pictures are more than {limits.frames}: give fewer")
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if (folder / path.name).exists():
            raise InputError(f"two pictures are called {path.name!r}: give each frame its own name")
        shutil.copyfile(path, folder / path.name)
    return folder
