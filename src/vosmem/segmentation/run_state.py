"""The state of a run that was interrupted, from which the same command continues."""

import hashlib
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.checkpoints.reading import read_checkpoint
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.files import replacing
from vosmem.segmentation.record import versions

LOGGER = logging.getLogger(__name__)
STATE = ".interrupted.pt"
SAVE_SECONDS = 60.0  # between two saves
SAVE_SHARE = 0.05  # largest share of the run's time that saves may take


@runtime_checkable
class Stateful(Protocol):
    """A part of a run."""

    def state_dict(self) -> dict[str, Any]:
        """Return the part as tensors and plain values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""


class RunState:
    """Saves the parts of a run in its folder between two frames, and loads them into the parts of a later run.

    The file is as large as the network's memory and the features of one frame; it is replaced atomically.

    Args:
        folder: folder of the results.
        about: what the results depend on, as JSON values.
        parts: the parts by name.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], parts: Mapping[str, Stateful]):
        self.path, self.parts = folder / STATE, parts
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        # Other versions and another number of threads change the last digits.
        self._identity = {"about": digest, **versions(), "threads": torch.get_num_threads()}
        self._saved, self._pause = time.monotonic(), SAVE_SECONDS

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._pause

    def save(self) -> None:
        """Save all parts. A file that cannot be written is a warning, since the results do not depend on it."""
        start = time.monotonic()
        content = {name: part.state_dict() for name, part in self.parts.items()}
        try:
            with replacing(self.path) as partial, partial.open("wb") as file:
                torch.save({"identity": self._identity, **content}, file)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError for a full disk
            reason = " ".join(str(error).split())
            LOGGER.warning(f"{str(self.path)!r} cannot be written ({reason}): an interrupted run would start again")
        self._saved = time.monotonic()
        self._pause = max(SAVE_SECONDS, (self._saved - start) / SAVE_SHARE)

    def load(self, has_files: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Load a saved state into the parts; return False if there is none, or warn if it cannot be used.

        `has_files` returns whether the files that a state relies on exist.
        """
        if not self.path.is_file():
            return False
        try:
            state = read_checkpoint(self.path)
        except InputError as error:
            return self._refuse(str(error))
        identity = state.get("identity", {})
        changed = [name for name, value in self._identity.items() if identity.get(name) != value]
        if changed:
            name = "options" if changed[0] == "about" else changed[0]
            return self._refuse(f"the interrupted run had other {name}")
        if not has_files(state):
            return self._refuse("results of the interrupted run are missing")
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return True

    def remove(self) -> None:
        """Delete the saved state."""
        self.path.unlink(missing_ok=True)

    def _refuse(self, reason: str) -> bool:
        LOGGER.warning(f"{str(self.path.parent)!r} starts again: {reason}")
        self.remove()
        return False


class ChecksummedVideo(VideoSequence):
    """A video that notes a checksum of every frame that is read, so that a later run can compare its input."""

    def __init__(self, video: VideoSequence):
        self.video = video
        self.name, self.frame_names, self.object_ids = video.name, video.frame_names, video.object_ids
        self._checksums: dict[int, int] = {}

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode a frame.

        Raises:
            InputError: the frame cannot be decoded, or is not the one that an interrupted run read.
        """
        frame = self.video.frame(t)
        checksum = zlib.crc32(frame.contiguous().numpy().data)
        if self._checksums.setdefault(t, checksum) != checksum:
            raise InputError(
                f"video {self.name!r}: frame {self.frame_names[t]} has changed since an earlier run was interrupted: "
                "name another output folder"
            )
        return frame

    def labels(self, t: int) -> None:
        """None: given masks are not ground truth."""

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        return self.video.given_mask(t)

    def absent(self, t: int) -> tuple[int, ...]:
        return self.video.absent(t)

    def state_dict(self) -> dict[str, Any]:
        """Return the checksums."""
        return {"checksums": dict(self._checksums)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Compare frames with the checksums of a state from now on."""
        self._checksums = dict(state["checksums"])

    def noted(self) -> list[int]:
        """Indices of the frames that have a checksum, ascending."""
        return sorted(self._checksums)
