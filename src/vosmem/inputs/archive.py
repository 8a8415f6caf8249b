"""Zip files of frames, videos or masks, unpacked for the time of the process."""

import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from vosmem.errors import InputError
from vosmem.inputs.wording import counted

SUFFIX = ".zip"
DAMAGED = (OSError, RuntimeError, ValueError, EOFError, KeyError, zlib.error, zipfile.BadZipFile)  # or encrypted
_folders: dict[tuple[Path, int], "tempfile.TemporaryDirectory[str]"] = {}


def unpacked(path: Path) -> Path:
    """The folder of the content of a zip file; any other path is returned as it is.

    The folder has the stem of the file as its name, or is the only folder in it. It is deleted when the process ends.

    Raises:
        InputError: the file is no zip file, is damaged or encrypted, holds nothing, or does not fit on the disk.
    """
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return path
    key = path.resolve(), path.stat().st_mtime_ns
    if key not in _folders:
        _folders[key] = tempfile.TemporaryDirectory(prefix="vosmem-")
        try:
            _unpack(path, Path(_folders[key].name) / path.stem)
        except (
            OSError,
            RuntimeError,
            NotImplementedError,
            ValueError,
            EOFError,
            zlib.error,
            zipfile.BadZipFile,
        ) as error:
            _folders.pop(key).cleanup()
            if isinstance(error, InputError):
                raise
            raise InputError(f"zip file {str(path)!r} cannot be read ({error}): unpack it yourself") from error
    folder = Path(_folders[key].name) / path.stem
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def _unpack(path: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(path) as content:
        members = [member for member in content.infolist() if not member.is_dir() and not _is_hidden(member.filename)]
        if not members:
            raise InputError(f"zip file {str(path)!r} holds no files: give one with frames, videos or masks")
        needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"zip file {str(path)!r} needs {needed / 2**30:.1f} GB for {counted(len(members), 'file')}, and "
                f"{folder.parent.parent} has {free / 2**30:.1f} GB: set TMPDIR to a larger disk"
            )
        for member in members:
            content.extract(member, folder)


def _is_hidden(name: str) -> bool:
    """Whether a member is a file that file managers add, or hidden."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
