"""Videos with masks as evaluation sees them, read frame by frame, and synthetic clips in the same form."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.sources.image_sets import ImageSource
from vosmem.errors import InputError

Video = TypeVar("Video", bound="VideoSequence")


class VideoSequence(ABC):
    """A video as evaluation sees it. Labels are slots 0..K; `object_ids[k-1]` is the id of slot k.

    By default every frame has ground truth and needs a prediction, and all objects are given with the first frame.

    Attributes:
        object_ids: the ids on disk; objects that are given earlier come first.
        frame_names: stems of the frames, for the files that are written.
        exclude_last: whether the last frame is excluded from the score, as DAVIS does.
        groups: group of each id, if the protocol scores groups (YouTube-VOS: `seen`, `unseen`).
    """

    name: str
    object_ids: tuple[int, ...]
    frame_names: Sequence[str]
    exclude_last: bool = False
    groups: Mapping[int, str] = {}

    def __len__(self) -> int:
        return len(self.frame_names)

    @abstractmethod
    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of frame t."""

    @abstractmethod
    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Ground truth of frame t; None if there is none."""

    @property
    def given_at(self) -> tuple[int, ...]:
        """For each slot the frame at which its mask is given."""
        return (0,) * len(self.object_ids)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask that the protocol gives at frame t, with only the objects given there; None at most frames."""
        return self.labels(0) if t == 0 else None

    def absent(self, t: int) -> tuple[int, ...]:
        """Slots that a user marked as absent from frame t; protocols mark none."""
        return ()

    def asks_for(self, t: int) -> bool:
        """Whether the protocol asks for a mask of frame t."""
        return True


class RepeatedSequence(VideoSequence):
    """A video whose every frame is repeated several times."""

    def __init__(self, sequence: VideoSequence, times: int):
        self.sequence, self.times = sequence, times
        self.name, self.object_ids = f"{sequence.name}_x{times}", sequence.object_ids
        self.exclude_last, self.groups = sequence.exclude_last, sequence.groups
        self.frame_names = [f"{name}_{copy}" for name in sequence.frame_names for copy in range(times)]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self.sequence.frame(t // self.times)

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        return self.sequence.labels(t // self.times)

    @property
    def given_at(self) -> tuple[int, ...]:
        """For each slot the first copy of the frame at which its mask is given."""
        return tuple(t * self.times for t in self.sequence.given_at)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask that the protocol gives; only at the first copy of its frame."""
        return None if t % self.times else self.sequence.given_mask(t // self.times)

    def asks_for(self, t: int) -> bool:
        return self.sequence.asks_for(t // self.times)


class AppearingSequence(VideoSequence):
    """A video whose objects are given where they first appear; `_appearances` holds the frame of each id."""

    _appearances: Mapping[int, int]

    @property
    def object_ids(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(self._appearances)

    @property
    def given_at(self) -> tuple[int, ...]:
        return tuple(self._appearances.values())


class ClipSequence(VideoSequence):
    """A clip in memory as a sequence; labels are slots 0..`num_objects`."""

    def __init__(
        self, name: str, frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], num_objects: int
    ):
        self.name = name
        self.object_ids = tuple(range(1, num_objects + 1))
        self.frame_names = [f"{t:05d}" for t in range(len(frames))]
        self._frames = torch.from_numpy(frames).permute(0, 3, 1, 2)
        self._labels = torch.from_numpy(labels)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return self._frames[t]

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        return self._labels[t]


class GeneratedSequences(Sequence[Video], ABC):
    """A fixed number of videos that are made on demand, each a function of its index."""

    def __init__(self, count: int):
        self.num_videos = count

    def __len__(self) -> int:
        return self.num_videos

    def __getitem__(self, index: Any) -> Any:
        """One video, or a list for a slice."""
        chosen = range(self.num_videos)[index]
        return [self._make(each) for each in chosen] if isinstance(chosen, range) else self._make(chosen)

    @abstractmethod
    def _make(self, index: int) -> Video:
        """Make the video of an index from 0 to `num_videos` - 1."""


class SyntheticSequences(GeneratedSequences[ClipSequence]):
    """A fixed set of clips for validation that cycles through images that training never sees; clips are cached."""

    def __init__(self, source: ImageSource, augmentation: ClipAugmentation, count: int, seed: int):
        super().__init__(count)
        self.source, self.augmentation, self.seed = source, augmentation, seed
        self._cache: dict[int, ClipSequence] = {}

    def _make(self, index: int) -> ClipSequence:
        if index not in self._cache:
            item = index % len(self.source)
            clip = self.augmentation(self.source.read(item), (self.seed, 0, index), self.source)
            self._cache[index] = ClipSequence(f"{Path(self.source.name(item)).stem}_{index:03d}", *clip)
        return self._cache[index]


class RepeatedSequences(GeneratedSequences[RepeatedSequence]):
    """The videos of a set with every frame repeated `times` times.

    Raises:
        InputError: `times` is below 1.
    """

    def __init__(self, source: Sequence[VideoSequence], times: int):
        if times < 1:
            raise InputError(f"eval_set.times={times} is below 1: use 1 or more")
        super().__init__(len(source))
        self.source, self.times = source, times

    def _make(self, index: int) -> RepeatedSequence:
        return RepeatedSequence(self.source[index], self.times)
