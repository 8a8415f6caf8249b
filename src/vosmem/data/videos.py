"""Videos with masks, read frame by frame, and synthetic clips in the same shape."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar, overload, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips import ClipSynthesis
from vosmem.data.images import read_image, read_labels
from vosmem.data.stills import StillSource
from vosmem.data.video_layouts import davis_folders, list_pictures, plain_folders
from vosmem.errors import InputError
from vosmem.ops.masks import ids_to_slots

Made = TypeVar("Made")


@runtime_checkable
class VideoSequence(Protocol):
    """A video with ground truth, as evaluation sees it. Labels are slots 0..K; `object_ids[k-1]` is the id of slot k.

    Attributes:
        name: what tables call it.
        object_ids: the ids on disk, ascending.
        frame_names: stems of the frames, for the files written.
        exclude_last: whether the last frame is left out of the score, as DAVIS does.
    """

    name: str
    object_ids: tuple[int, ...]
    frame_names: Sequence[str]
    exclude_last: bool

    def __len__(self) -> int: ...

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of frame t."""
        ...

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Ground truth of frame t; None where there is none."""
        ...

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask that the protocol hands over at frame t; None at most frames."""
        ...


class FolderSequence:
    """One folder of frames and one of masks.

    Args:
        name: what tables call it.
        frames: folder of pictures, in natural order.
        masks: folder of masks with the frames' stems; the first frame needs one.
        merge_objects: all ids become object 1 (DAVIS-2016).

    Raises:
        InputError: a folder is missing or empty, the first frame has no mask or no object, or a mask has no frame.
    """

    exclude_last = True

    def __init__(self, name: str, frames: Path, masks: Path, merge_objects: bool = False):
        self.name, self.merge_objects = name, merge_objects
        self._frames = list_pictures(frames)
        self._masks = {path.stem: path for path in list_pictures(masks)}
        self.frame_names = [path.stem for path in self._frames]
        if self.frame_names[0] not in self._masks:
            raise InputError(
                f"sequence {name!r}: first frame {self._frames[0].name} has no mask in {str(masks)!r}; add one"
            )
        lone = sorted(self._masks.keys() - set(self.frame_names))
        if lone:
            raise InputError(
                f"sequence {name!r}: mask {lone[0]!r} has no frame in {str(frames)!r} ({len(lone)} in all)"
            )
        # What 255 means is settled by the first mask: a later one may hold void and no object.
        first = self._masks[self.frame_names[0]]
        self._void_is_object = None if merge_objects else not read_labels(first, void_is_object=False).any()
        ids = np.unique(self._read_ids(0))
        self.object_ids = tuple(int(i) for i in ids if i)
        if not self.object_ids:
            raise InputError(f"sequence {name!r}: the mask of the first frame {self._frames[0].name} holds no object")

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Decode frame t."""
        return torch.from_numpy(read_image(self._frames[t]).copy()).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Decode the mask of frame t; ids that the first frame does not have become background."""
        if self.frame_names[t] not in self._masks:
            return None
        return torch.from_numpy(ids_to_slots(self._read_ids(t), self.object_ids))

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The first frame's mask."""
        return self.labels(0) if t == 0 else None

    def _read_ids(self, t: int) -> UInt8[np.ndarray, "H W"]:
        ids = read_labels(self._masks[self.frame_names[t]], self._void_is_object)
        return (ids > 0).astype(np.uint8) if self.merge_objects else ids


class ClipSequence:
    """A clip in memory as a sequence.

    Args:
        name: what tables call it.
        frames: RGB bytes.
        labels: slots 0..K.
        num_objects: K.
    """

    exclude_last = False  # a clip is too short to leave frames out

    def __init__(
        self, name: str, frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], num_objects: int
    ):
        self.name = name
        self.object_ids = tuple(range(1, num_objects + 1))
        self.frame_names = [f"{t:05d}" for t in range(len(frames))]
        self._frames = torch.from_numpy(frames).permute(0, 3, 1, 2)
        self._labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Frame t."""
        return self._frames[t]

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        """Labels of frame t."""
        return self._labels[t]

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The first frame's labels."""
        return self._labels[0] if t == 0 else None


class MadeSequences(Sequence[Made], ABC):
    """Videos that are made when they are asked for, each a function of its place.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int):
        self.num_videos = count

    def __len__(self) -> int:
        return self.num_videos

    @overload
    def __getitem__(self, index: int) -> Made: ...

    @overload
    def __getitem__(self, index: slice) -> list[Made]: ...

    def __getitem__(self, index: int | slice) -> Made | list[Made]:
        """One video, or several."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self.num_videos))]
        return self._make(range(self.num_videos)[index])

    @abstractmethod
    def _make(self, place: int) -> Made:
        """The video of a place from 0 up."""


class SyntheticSequences(MadeSequences[ClipSequence]):
    """A fixed set of clips for validation, going round the stills; a clip that was made is kept.

    Args:
        source: stills that training never sees.
        synthesis: how a still becomes a clip.
        count: number of clips.
        seed: base seed; equal seeds give equal clips.
    """

    def __init__(self, source: StillSource, synthesis: ClipSynthesis, count: int, seed: int):
        super().__init__(count)
        self.source, self.synthesis, self.seed = source, synthesis, seed
        self._made: dict[int, ClipSequence] = {}

    def _make(self, place: int) -> ClipSequence:
        if place not in self._made:
            self._made[place] = self._synthesise(place)
        return self._made[place]

    def _synthesise(self, place: int) -> ClipSequence:
        item = place % len(self.source)
        frames, labels, num_objects = self.synthesis(self.source.read(item), (self.seed, 0, place), self.source)
        return ClipSequence(f"{Path(self.source.name(item)).stem}_{place:03d}", frames, labels, num_objects)


def davis_sequences(
    root: str, year: int, image_set: str = "val", resolution: str = "480p", sequences: Sequence[str] | None = None
) -> list[FolderSequence]:
    """Sequences of a folder in DAVIS layout.

    Args:
        root: holds `JPEGImages/`, `Annotations/` and `ImageSets/`.
        year: 2016 merges all objects of a sequence into one; 2017 keeps them apart.
        image_set: name of the list, `val` for example.
        resolution: folder below `JPEGImages` and `Annotations`.
        sequences: names to take instead of the whole list.

    Raises:
        InputError: root, list or a sequence's folder is missing, or a name is not in the list.
    """
    folders = davis_folders(root, year, image_set, resolution, sequences)
    return [FolderSequence(*folder, merge_objects=year == 2016) for folder in folders]


def folder_sequences(root: str, sequences: Sequence[str] | None = None) -> list[FolderSequence]:
    """Sequences of any folder with `JPEGImages/<video>` and `Annotations/<video>`; the first frame needs a mask.

    Args:
        root: the folder.
        sequences: names to take instead of all that have masks.

    Raises:
        InputError: a folder is missing or a name is none of the videos.
    """
    return [FolderSequence(*folder) for folder in plain_folders(root, sequences)]
