"""Zip files for benchmark servers."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from vosmem.files import replacing

EPOCH = (1980, 1, 1, 0, 0, 0)  # so that equal masks give equal files


def write_submission(masks: Path, sequences: Iterable[str], path: Path, folder: str) -> Path:
    """Pack the masks of sequences, each a sub-folder of `masks`, as a zip that is written whole or not at all.

    `folder` is the parent of the sequences inside the zip; '' for its top level.
    """
    with replacing(path) as partial, ZipFile(partial, "w", ZIP_STORED) as archive:  # PNGs are compressed already
        for name in sorted(sequences):
            for mask in sorted((masks / name).glob("*.png")):
                inside = "/".join(part for part in (folder, name, mask.name) if part)
                archive.writestr(ZipInfo(inside, EPOCH), mask.read_bytes())
    return path
