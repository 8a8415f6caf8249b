"""Sets made of other sets: joined, split, kept in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.errors import InputError, warn

SHOWN = 5


class _Joined:
    """Several sets as one, in the order given; of stills or of videos."""

    def __init__(self, sources: Mapping[str, Any], weights: Mapping[str, float] | None = None):
        if not sources:
            raise InputError("no set is given to be joined: name at least one")
        for name, weight in (weights or {}).items():
            if name not in sources:
                raise InputError(f"weight of {name!r}, which is none of the joined sets: {', '.join(sources)}")
            if weight <= 0:
                raise InputError(f"weight {weight} of {name!r} is not above 0: leave the set out instead")
        self.sources = list(sources.values())
        self.weights = [float((weights or {}).get(name, 1)) for name in sources]
        self._ends = np.cumsum([len(source) for source in self.sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _locate(self, index: int) -> tuple[Any, int]:
        """The set that an element is of, and its place there."""
        which = int(np.searchsorted(self._ends, index, side="right"))
        return self.sources[which], index - (int(self._ends[which - 1]) if which else 0)


class JoinedImages(_Joined):
    """Several sets of stills as one, in the order given.

    Args:
        sources: the sets by name.
        weights: how often each still of a set stands in a pass through all of them, above 0; fractions are met on
            average. Sets without a weight have 1.

    Raises:
        InputError: no set is given, or a weight names no set or is not above 0.
    """

    def __init__(self, sources: Mapping[str, ImageSource], weights: Mapping[str, float] | None = None):
        super().__init__(sources, weights)

    def name(self, index: int) -> str:
        """As its set calls it."""
        source, place = self._locate(index)
        return source.name(place)

    def read(self, index: int) -> LabelledImage:
        """As its set reads it."""
        source, place = self._locate(index)
        return source.read(place)

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As its set tells them."""
        source, place = self._locate(index)
        return source.sizes(place)


class Subset:
    """Every n-th still of a set, or all others: a simple way to hold stills out.

    Args:
        source: the set.
        every: n.
        held_out: True for stills 0, n, 2n, ...; False for the rest.

    Raises:
        InputError: nothing is left.
    """

    def __init__(self, source: ImageSource, every: int, held_out: bool):
        self.source = source
        self.indices = [index for index in range(len(source)) if (index % every == 0) == held_out]
        if not self.indices:
            raise InputError(f"no still is left of {len(source)} when every {every}th is held out: use another number")

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """As the whole set calls it."""
        return self.source.name(self.indices[index])

    def read(self, index: int) -> LabelledImage:
        """As the whole set reads it."""
        return self.source.read(self.indices[index])

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As the whole set tells them."""
        return self.source.sizes(self.indices[index])


class CachedImages:
    """A small set kept decoded in memory.

    Args:
        source: the set.
    """

    def __init__(self, source: ImageSource):
        self.source = source
        self._decoded: dict[int, LabelledImage] = {}

    def __len__(self) -> int:
        return len(self.source)

    def name(self, index: int) -> str:
        """As the set calls it."""
        return self.source.name(index)

    def read(self, index: int) -> LabelledImage:
        """Decoded at the first call."""
        if index not in self._decoded:
            self._decoded[index] = self.source.read(index)
        return self._decoded[index]

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As the set tells them."""
        return self.source.sizes(index)


class JoinedVideos(_Joined, Sequence[TrainingVideo]):
    """Several sets of training videos as one, in the order given.

    Args:
        sources: the sets by name.
        weights: as those of `JoinedImages`: DAVIS with 5 beside YouTube-VOS with 1 is usual.

    Raises:
        InputError: as `JoinedImages`.
    """

    def __init__(self, sources: Mapping[str, Sequence[TrainingVideo]], weights: Mapping[str, float] | None = None):
        super().__init__(sources, weights)

    def __getitem__(self, index: int) -> TrainingVideo:  # type: ignore[override]
        """The video of its set."""
        source, place = self._locate(range(len(self))[index])
        video: TrainingVideo = source[place]
        return video


def repeats(source: ImageSource | Sequence[TrainingVideo]) -> Float[np.ndarray, "N"]:
    """How often each element of a set stands in a pass through it: 1, or the weight of its set among joined ones."""
    match source:
        case JoinedImages() | JoinedVideos():
            parts: Sequence[ImageSource | Sequence[TrainingVideo]] = source.sources
            return np.concatenate([w * repeats(part) for part, w in zip(parts, source.weights, strict=True)])
        case Subset():
            return repeats(source.source)[source.indices]
        case CachedImages():
            return repeats(source.source)
        case _:
            return np.ones(len(source))


def long_enough(videos: Sequence[TrainingVideo], num_frames: int) -> Sequence[TrainingVideo]:
    """The videos that have as many frames as a clip; a warning names the others.

    Args:
        videos: the videos; joined sets keep their weights.
        num_frames: frames that a clip takes.

    Raises:
        InputError: all videos are too short.
    """
    short = [
        f"video {video.name}: {len(video)} frames with masks, a clip takes {num_frames}"
        for video in videos
        if len(video) < num_frames
    ]
    if not short:
        return videos
    named = f"{'; '.join(short[:SHOWN])}{'; ...' if len(short) > SHOWN else ''}"
    if len(short) == len(videos):
        raise InputError(f"no video is long enough: {named}: use longer videos, or a smaller augmentation.num_frames")
    warn(f"{len(short)} of {len(videos)} videos are too short, and left out of the training: {named}")
    return _of_length(videos, num_frames)


def _of_length(videos: Sequence[TrainingVideo], num_frames: int) -> Sequence[TrainingVideo]:
    if not isinstance(videos, JoinedVideos):
        return [video for video in videos if len(video) >= num_frames]
    parts = [
        (_of_length(part, num_frames), weight) for part, weight in zip(videos.sources, videos.weights, strict=True)
    ]
    named = {str(place): part for place, part in enumerate(parts) if part[0]}
    return JoinedVideos(
        {name: part for name, (part, _) in named.items()}, {name: weight for name, (_, weight) in named.items()}
    )
