"""Videos on disk as an evaluation sees them: which masks are given, which frames need a prediction."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.images import read_image
from vosmem.data.sources.video_layouts import VideoFolder, find_videos
from vosmem.data.videos import AppearingSequence, VideoSequence
from vosmem.errors import InputError
from vosmem.ops.masks import ids_to_slots


class EvaluationSet(list[VideoSequence]):
    """The sequences of a set.

    `submission` is the folder inside the zip that the set's server takes, '' for its top level; None without a server.
    """

    def __init__(self, sequences: Sequence[VideoSequence], submission: str | None = None):
        super().__init__(sequences)
        self.submission = submission


def evaluation_set(
    layout: str, root: str, sequences: Sequence[str] | None = None, submission: str | None = None, **settings: Any
) -> EvaluationSet:
    """Read a data set on disk for evaluation.

    Args:
        layout: a key of `video_layouts.LAYOUTS`.
        sequences: names to take instead of all.
        submission: see `EvaluationSet`.

    Raises:
        InputError: the layout or a name is unknown, or a folder or file is missing or damaged.
    """
    videos = find_videos(layout, root, sequences, **settings)
    return EvaluationSet([FolderSequence(video) for video in videos], submission)


class FolderSequence(AppearingSequence):
    """A video on disk as a sequence.

    Raises:
        InputError: a folder is missing or empty, a mask or a frame that needs a prediction has no frame, or the first
            frame lacks a mask or an object although the protocol needs one.
    """

    def __init__(self, video: VideoFolder):
        self.video, self.name = video, video.name
        self.exclude_last, self.groups = video.exclude_last, video.groups
        self._frames, self.frame_names = video.frame_paths, [path.stem for path in video.frame_paths]
        masks = video.mask_paths  # read now, so that a missing folder is reported before the evaluation starts
        self._truth = {} if video.truth is None else masks if video.truth == video.masks else video.paired(video.truth)
        video.require_frames(video.asked_frames or (), "frame asked for")
        if not video.late_objects:
            self._check_first_frame()

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return torch.from_numpy(read_image(self._frames[t]).copy()).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Decode the ground truth of frame t; ids that are never given become background."""
        path = self._truth.get(self.frame_names[t])
        return None if path is None else self._slots(path)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Decode the mask of frame t, with only the objects that first appear there."""
        new = [slot for slot, first in enumerate(self.given_at, start=1) if first == t]
        if not new:
            return None
        slots = self._slots(self.video.mask_paths[self.frame_names[t]])
        return torch.where(torch.isin(slots, torch.tensor(new, dtype=torch.uint8)), slots, torch.zeros_like(slots))

    def asks_for(self, t: int) -> bool:
        return self.video.asked_frames is None or self.frame_names[t] in self.video.asked_frames

    @cached_property
    def _appearances(self) -> dict[int, int]:  # type: ignore[override]
        """The frame at which each id is given, by (frame, id). Lazy: a long video may have thousands of masks."""
        appearances: dict[int, int] = {}
        masks = self.video.mask_paths
        for t, name in enumerate(self.frame_names):
            for object_id in np.unique(self.video.read_ids(masks[name])) if name in masks else ():
                appearances.setdefault(int(object_id), t)
            if not self.video.late_objects:
                break
        appearances.pop(0, None)
        if not appearances:
            raise InputError(f"video {self.name!r}: no mask holds an object; add one for the object to follow")
        return appearances

    def _slots(self, path: Path) -> UInt8[Tensor, "H W"]:
        return torch.from_numpy(ids_to_slots(self.video.read_ids(path), self.object_ids))

    def _check_first_frame(self) -> None:
        first = self._frames[0]
        path = self.video.mask_paths.get(first.stem)
        if path is None:
            masks = str(self.video.masks)
            raise InputError(f"video {self.name!r}: first frame {first.name} has no mask in {masks!r}: add one")
        if not self.video.read_ids(path).any():
            raise InputError(
                f"video {self.name!r}: the mask of the first frame {first.name} holds no object: draw one, or set "
                "eval_set.late_objects=true"
            )
