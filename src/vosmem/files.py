"""Atomic writes of files, and locks on folders."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from vosmem.errors import InputError

LOCK = ".lock"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and move the file to `path` if no error is raised. The folder is made.

    Raises:
        OSError: the folder cannot be made, or the file cannot be moved.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text file atomically as UTF-8; its folder is made. OSError if it cannot be written."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, and make it if needed; the lock ends with the process, however it ends.

    Raises:
        InputError: another process holds the lock.
        OSError: the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        with suppress(NotImplementedError):  # a file system without locks
            lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{str(folder)!r} is in use by another run: wait for its end, or use another output folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(error: OSError, default: Path, fix: str) -> InputError:
    """The error for a file that could not be written.

    Args:
        error: the system's error.
        default: the path to report if the system's error has none.
        fix: how to fix it, other than by freeing space.

    Example:
        >>> print(unwritable(OSError(28, "No space left on device", "a.png"), Path("out"), "name another --output"))
        'a.png' cannot be written (No space left on device): free some space, or name another --output
    """
    where = error.filename or default
    free = "free some space, or " if error.errno in FULL else ""
    return InputError(f"{str(where)!r} cannot be written ({error.strerror or error}): {free}{fix}")
