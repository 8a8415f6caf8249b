"""Videos as folders of frames and masks, and which of the masks an evaluation may see."""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.images import find_void_rule, read_image, read_labels
from vosmem.data.decoding.void import VoidRule
from vosmem.data.sources.video_folders import list_pictures
from vosmem.data.videos import AppearingSequence
from vosmem.errors import InputError
from vosmem.ops.masks import ids_to_slots


class FolderSequence(AppearingSequence):
    """One folder of frames and one of masks.

    Args:
        name: what tables call it.
        frames: folder of pictures, in natural order.
        masks: folder of masks with the frames' stems, from which the given ones are taken.
        truth: folder of ground truth, often the same as `masks`; None where there is none (a mask that is there to be
            given may leave other objects out).
        merge_objects: all ids become object 1 (DAVIS-2016).
        late_objects: each object's mask is given where it first appears. Otherwise the first frame needs a mask, and
            ids that it does not have are background.
        exclude_last: whether the last frame is left out of the score.
        asked_frames: stems of the frames of which a mask is asked for; None for all.
        groups: for ids, the group in which the protocol counts them.

    Raises:
        InputError: a folder is missing or empty, a mask or a frame asked for has no picture, or the first frame has no
            mask or no object although it needs one.
    """

    def __init__(
        self,
        name: str,
        frames: Path,
        masks: Path,
        truth: Path | None,
        *,
        merge_objects: bool = False,
        late_objects: bool = False,
        exclude_last: bool = True,
        asked_frames: Collection[str] | None = None,
        groups: Mapping[int, str] | None = None,
    ):
        self.name, self.merge_objects, self.late_objects = name, merge_objects, late_objects
        self.exclude_last, self.groups = exclude_last, groups or {}
        self._frames = list_pictures(frames)
        self.frame_names = [path.stem for path in self._frames]
        self._masks = self._paired(masks, frames)
        self._truth = {} if truth is None else self._masks if truth == masks else self._paired(truth, frames)
        self._asked = None if asked_frames is None else set(asked_frames)
        self._raise_lone(self._asked or (), "frame asked for", frames)
        if not late_objects:
            self._check_first_frame(masks)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t."""
        return torch.from_numpy(read_image(self._frames[t]).copy()).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Decode the ground truth of frame t; ids that are never given become background."""
        path = self._truth.get(self.frame_names[t])
        return None if path is None else self._slots(path)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Decode the mask of frame t, of the objects that appear there alone."""
        new = [slot for slot, at in enumerate(self.given_at, start=1) if at == t]
        if not new:
            return None
        slots = self._slots(self._masks[self.frame_names[t]])
        return torch.where(torch.isin(slots, torch.tensor(new, dtype=torch.uint8)), slots, torch.zeros_like(slots))

    def asks_for(self, t: int) -> bool:
        """Whether the protocol asks for a mask of frame t."""
        return self._asked is None or self.frame_names[t] in self._asked

    @cached_property
    def _appearances(self) -> dict[int, int]:  # type: ignore[override]
        """The frame at which each id is given, by (frame, id). Read late: a long video may have thousands of masks."""
        found: dict[int, int] = {}
        for t, name in enumerate(self.frame_names):
            if name in self._masks:
                for new in np.unique(self._ids(self._masks[name])):
                    found.setdefault(int(new), t)
            if not self.late_objects:
                break
        found.pop(0, None)
        if not found:
            raise InputError(f"sequence {self.name!r}: no mask holds an object; give one to say what to follow")
        return found

    @cached_property
    def _void(self) -> VoidRule:
        return find_void_rule(self._masks[name] for name in self.frame_names if name in self._masks)

    def _slots(self, path: Path) -> UInt8[Tensor, "H W"]:
        return torch.from_numpy(ids_to_slots(self._ids(path), self.object_ids))

    def _ids(self, path: Path) -> UInt8[np.ndarray, "H W"]:
        ids = read_labels(path, self._void)
        return (ids > 0).astype(np.uint8) if self.merge_objects else ids

    def _paired(self, masks: Path, frames: Path) -> dict[str, Path]:
        paths = {path.stem: path for path in list_pictures(masks)}
        self._raise_lone(paths, "mask", frames)
        return paths

    def _raise_lone(self, stems: Collection[str], what: str, frames: Path) -> None:
        lone = sorted(set(stems) - set(self.frame_names))
        if lone:
            raise InputError(
                f"sequence {self.name!r}: {what} {lone[0]!r} has no frame in {str(frames)!r} ({len(lone)} in all)"
            )

    def _check_first_frame(self, masks: Path) -> None:
        first = self._frames[0]
        if first.stem not in self._masks:
            raise InputError(f"sequence {self.name!r}: first frame {first.name} has no mask in {str(masks)!r}; add one")
        if not self._ids(self._masks[first.stem]).any():
            raise InputError(f"sequence {self.name!r}: the mask of the first frame {first.name} holds no object")
