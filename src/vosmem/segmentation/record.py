"""`run.json`: what a result was made of, and whether it is whole."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from vosmem.errors import InputError
from vosmem.files import write_text
from vosmem.inference.sequences.directions import Given
from vosmem.inputs.user_video import UserVideo
from vosmem.segmentation.frame_files import ANNOTATIONS, MASKS, OBJECTS, OVERLAY, PROBABILITIES
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE

RECORD, REPORT, SPILL = "run.json", "report.html", ".backward"
OWN_NAMES = (MASKS, OBJECTS, PROBABILITIES, OVERLAY, ANNOTATIONS, OBJECTS_TABLE, CHECKS_TABLE, REPORT)
PACKAGES = ("vosmem", "torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "av")


class RunRecord:
    """The file that says what a folder of results was made of; there from the start, it says when they are whole.

    Args:
        folder: of the results.
        about: all that they depend on, as plain values.

    Raises:
        InputError: the folder holds results of something else, or files that might be the user's.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        self.folder, self.about = folder, json.loads(json.dumps(about))
        self._before = self._read()

    @property
    def finished(self) -> bool:
        """Whether the results are there already."""
        return self._before is not None and bool(self._before.get("finished"))

    def write(self, finished: bool, **more: Any) -> None:
        """Say how things stand.

        Args:
            finished: whether the results are whole.
            more: what else is to be noted.

        Raises:
            OSError: the file could not be written.
        """
        versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
        content = {
            "finished": finished,
            **more,
            "about": self.about,
            "versions": versions,
            "threads": torch.get_num_threads(),
        }
        write_text(self.folder / RECORD, json.dumps(content, indent=2) + "\n")

    def _read(self) -> dict[str, Any] | None:
        path = self.folder / RECORD
        if not path.is_file():
            self._raise_foreign()
            return None
        try:
            before: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(f"{str(path)!r} is damaged: name another output folder, or move that one away") from error
        if before.get("about") != self.about:
            raise InputError(
                f"{str(self.folder)!r} holds results of another input, network or option: name another output folder, "
                f"or move that one away"
            )
        return before

    def _raise_foreign(self) -> None:
        foreign = [name for name in OWN_NAMES if (self.folder / name).exists()]
        if foreign:
            raise InputError(
                f"{str(self.folder / foreign[0])!r} is there already, and not from vosmem segment: name another output "
                f"folder"
            )


def describe_video(video: UserVideo, given: Given) -> dict[str, Any]:
    """What a video's results depend on, by content: its names, its masks, and its first frame for all frames."""
    digest = hashlib.sha256("\n".join(video.frame_names).encode())
    for t in sorted(given.areas):
        mask = video.given_mask(t)
        assert mask is not None  # as `given` says
        digest.update(f"{t} {tuple(mask.shape)}".encode() + mask.numpy().tobytes())
    digest.update(video.frame(0).numpy().tobytes())
    return {
        "name": video.name,
        "frames": len(video),
        "size": list(video.size),
        "objects": list(video.object_ids),
        "masks_used": list(video.masks_used),
        "sha256": digest.hexdigest(),
    }
