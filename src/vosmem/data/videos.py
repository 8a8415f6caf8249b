"""Videos with masks, read frame by frame, and synthetic clips in the same shape."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.sources.image_sets import ImageSource
from vosmem.errors import InputError

Made = TypeVar("Made")


class VideoSequence(ABC):
    """A video as evaluation sees it. Labels are slots 0..K; `object_ids[k-1]` is the id of slot k.

    By default it has ground truth of every frame, all its objects are given with the first, and a mask of every frame
    is asked for.

    Attributes:
        name: what tables call it.
        object_ids: the ids on disk; objects that are given earlier come first.
        frame_names: stems of the frames, for the files written.
        exclude_last: whether the last frame is left out of the score, as DAVIS does.
        groups: for ids that the protocol tells apart in its score, the group (YouTube-VOS: `seen`, `unseen`).
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
        """Ground truth of frame t; None where there is none."""

    @property
    def given_at(self) -> tuple[int, ...]:
        """For each slot the frame at which its mask is handed over."""
        return (0,) * len(self.object_ids)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """The mask that the protocol hands over at frame t, of the objects given there alone; None at most frames."""
        return self.labels(0) if t == 0 else None

    def absent(self, t: int) -> tuple[int, ...]:
        """Slots that somebody says are nowhere in frame t; no protocol says so."""
        return ()

    def asks_for(self, t: int) -> bool:
        """Whether the protocol asks for a mask of frame t."""
        return True


class RepeatedSequence(VideoSequence):
    """A video in which every frame comes several times.

    Args:
        sequence: the video.
        times: how often.
    """

    def __init__(self, sequence: VideoSequence, times: int):
        self.sequence, self.times = sequence, times
        self.name, self.object_ids = f"{sequence.name}_x{times}", sequence.object_ids
        self.exclude_last, self.groups = sequence.exclude_last, sequence.groups
        self.frame_names = [f"{name}_{again}" for name in sequence.frame_names for again in range(times)]

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of frame t."""
        return self.sequence.frame(t // self.times)

    def labels(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """Ground truth of frame t; None where there is none."""
        return self.sequence.labels(t // self.times)

    @property
    def given_at(self) -> tuple[int, ...]:
        """Where the masks are given: the first time that their frame comes."""
        return tuple(t * self.times for t in self.sequence.given_at)

    def given_mask(self, t: int) -> UInt8[Tensor, "H W"] | None:
        """As the video's, the first time that the frame comes."""
        return None if t % self.times else self.sequence.given_mask(t // self.times)

    def asks_for(self, t: int) -> bool:
        """Whether the protocol asks for a mask of the frame."""
        return self.sequence.asks_for(t // self.times)


class AppearingSequence(VideoSequence):
    """A video whose objects are handed over where their masks are; `_appearances` holds the frame of each id."""

    _appearances: Mapping[int, int]

    @property
    def object_ids(self) -> tuple[int, ...]:  # type: ignore[override]
        """The ids on disk; objects that are given earlier come first."""
        return tuple(self._appearances)

    @property
    def given_at(self) -> tuple[int, ...]:
        """For each slot the frame at which its first mask is handed over."""
        return tuple(self._appearances.values())


class ClipSequence(VideoSequence):
    """A clip in memory as a sequence.

    Args:
        name: what tables call it.
        frames: RGB bytes.
        labels: slots 0..K.
        num_objects: K.
    """

    def __init__(
        self, name: str, frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], num_objects: int
    ):
        self.name = name
        self.object_ids = tuple(range(1, num_objects + 1))
        self.frame_names = [f"{t:05d}" for t in range(len(frames))]
        self._frames = torch.from_numpy(frames).permute(0, 3, 1, 2)
        self._labels = torch.from_numpy(labels)

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """Frame t."""
        return self._frames[t]

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        """Labels of frame t."""
        return self._labels[t]


class GeneratedSequences(Sequence[Made], ABC):
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


class SyntheticSequences(GeneratedSequences[ClipSequence]):
    """A fixed set of clips for validation, going round the stills; a clip that was made is kept.

    Args:
        source: stills that training never sees.
        augmentation: how a still becomes a clip.
        count: number of clips.
        seed: base seed; equal seeds give equal clips.
    """

    def __init__(self, source: ImageSource, augmentation: ClipAugmentation, count: int, seed: int):
        super().__init__(count)
        self.source, self.augmentation, self.seed = source, augmentation, seed
        self._made: dict[int, ClipSequence] = {}

    def _make(self, place: int) -> ClipSequence:
        if place not in self._made:
            self._made[place] = self._augment(place)
        return self._made[place]

    def _augment(self, place: int) -> ClipSequence:
        item = place % len(self.source)
        frames, labels, num_objects = self.augmentation(self.source.read(item), (self.seed, 0, place), self.source)
        return ClipSequence(f"{Path(self.source.name(item)).stem}_{place:03d}", frames, labels, num_objects)


class RepeatedSequences(GeneratedSequences[RepeatedSequence]):
    """The videos of a set with every frame several times.

    Args:
        source: the set.
        times: how often a frame comes.

    Raises:
        InputError: `times` is below 1.
    """

    def __init__(self, source: Sequence[VideoSequence], times: int):
        if times < 1:
            raise InputError(f"eval_set.times={times} is not possible: use 1 or more")
        super().__init__(len(source))
        self.source, self.times = source, times

    def _make(self, place: int) -> RepeatedSequence:
        return RepeatedSequence(self.source[place], self.times)
