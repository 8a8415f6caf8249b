"""Writing files whole or not at all, and folders that belong to one process at a time."""

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
    """A name to write to; what lies there takes the path's place if nothing went wrong.

    Args:
        path: the file; its folder is made.

    Raises:
        OSError: the folder cannot be made, or the file not be put in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text file; an older one stays until the new one is whole.

    Args:
        path: the file; its folder is made.
        text: what it is to hold, as UTF-8.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; the lock is gone with the process, however that ends.

    Args:
        folder: the folder; it is made.

    Raises:
        InputError: another process works in it.
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        with suppress(NotImplementedError):  # of a file system without locks
            lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{str(folder)!r} is in use by another run: wait for its end, or name another output folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(error: OSError, otherwise: Path, mend: str) -> InputError:
    """What to tell a user of a file that could not be written.

    Args:
        error: what the system said.
        otherwise: what to name where the system names no file.
        mend: what to do beside freeing space.

    Example:
        >>> print(unwritable(OSError(28, "No space left on device", "a.png"), Path("out"), "name another --output"))
        'a.png' cannot be written (No space left on device): free some space, or name another --output
    """
    where = error.filename or otherwise
    free = "free some space, or " if error.errno in FULL else ""
    return InputError(f"{str(where)!r} cannot be written ({error.strerror or error}): {free}{mend}")
