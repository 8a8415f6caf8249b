"""Writing files whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
