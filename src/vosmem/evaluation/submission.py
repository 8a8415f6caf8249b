"""The zip files that benchmark servers take."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from vosmem.files import replacing

EPOCH = (1980, 1, 1, 0, 0, 0)  # so that equal masks give equal files


def write_submission(masks: Path, sequences: Iterable[str], path: Path, folder: str) -> Path:
    """Pack masks, one folder a sequence.

    Args:
        masks: holds them so.
        sequences: names of those that belong in.
        path: the zip, written whole or not at all.
        folder: what the sequences lie in, inside the zip; '' for its top level.
    """
    with replacing(path) as partial, ZipFile(partial, "w", ZIP_STORED) as archive:  # PNGs do not shrink any more
        for name in sorted(sequences):
            for mask in sorted((masks / name).glob("*.png")):
                inside = "/".join(part for part in (folder, name, mask.name) if part)
                archive.writestr(ZipInfo(inside, EPOCH), mask.read_bytes())
    return path
