"""`run.json`: everything that the results in a folder depend on, and whether they are complete."""

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
from vosmem.segmentation.formats.registry import FORMATS
from vosmem.segmentation.frame_files import PROBABILITIES
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE

RECORD, REPORT, SPILL = "run.json", "report.html", ".backward"
FORMAT_NAMES = {path.split("/")[0] for chosen in FORMATS.values() for path in chosen.paths}
OWN_NAMES = (*sorted(FORMAT_NAMES), PROBABILITIES, OBJECTS_TABLE, CHECKS_TABLE, REPORT)
PACKAGES = ("vosmem", "torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "av")


class RunRecord:
    """The record of one folder of results, written at the start and at the end of a run.

    `about` is everything that the results depend on, as JSON values.

    Raises:
        InputError: the folder holds results of something else, or files that may be the user's.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        self.folder, self.about = folder, json.loads(json.dumps(about))
        path = folder / RECORD
        self.finished = False
        if not path.is_file():
            foreign = [name for name in OWN_NAMES if (folder / name).exists()]
            if foreign:
                raise InputError(
                    f"{str(folder / foreign[0])!r} exists and was not written by vosmem segment: name another output "
                    f"folder"
                )
            return
        try:
            previous: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(f"{str(path)!r} is damaged: name another output folder, or move that one away") from error
        if previous.get("about") != self.about:
            raise InputError(
                f"{str(folder)!r} holds results of another input, network or option: name another output folder, "
                f"or move that one away"
            )
        self.finished = bool(previous.get("finished"))

    def write(self, finished: bool, **more: Any) -> None:
        """Write the record: whether the results are complete, and further entries."""
        content = {
            "finished": finished,
            **more,
            "about": self.about,
            "versions": versions(),
            "threads": torch.get_num_threads(),
        }
        write_text(self.folder / RECORD, json.dumps(content, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the results depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def unfinished_budget_mb(folder: Path) -> float | None:
    """Return the budget of the memory in a run that was interrupted, which the run that continues it must have."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        budget = None if record["finished"] else record["memory_limits"]["mb"]
    except (OSError, ValueError, KeyError, TypeError):  # no record, or a damaged one, which `RunRecord` reports
        return None
    return budget if isinstance(budget, float) else None


def describe_video(video: UserVideo, given: Given) -> dict[str, Any]:
    """Identify a video by content: frame names, given masks, and its first frame in place of all frames."""
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
