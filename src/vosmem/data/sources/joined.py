"""Sets made of other sets: joined, split, kept in memory."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch.utils.data import ConcatDataset

from vosmem.data.sources.image_sets import ImageSource, LabelledImage, Sizes
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.errors import InputError, warn

SHOWN = 5


class _Elements:
    """Images of other sets, as a list of (set, index) pairs."""

    def __init__(self, elements: Sequence[tuple[ImageSource, int]]):
        self._elements = elements

    def __len__(self) -> int:
        return len(self._elements)

    def name(self, index: int) -> str:
        source, own_index = self._elements[index]
        return source.name(own_index)

    def read(self, index: int) -> LabelledImage:
        source, own_index = self._elements[index]
        return source.read(own_index)

    def sizes(self, index: int) -> Sizes:
        source, own_index = self._elements[index]
        return source.sizes(own_index)


class JoinedImages(_Elements):
    """Several sets of images as one, in the order given.

    Args:
        weights: how often a pass through the joined set holds each image of a set, above 0; fractions are met on
            average. The default is 1.

    Raises:
        InputError: no set is given, or a weight is not above 0 or names no set.
    """

    def __init__(self, sources: Mapping[str, ImageSource], weights: Mapping[str, float] | None = None):
        self.sources, self.weights = list(sources.values()), _checked_weights(list(sources), weights)
        super().__init__([(source, index) for source in self.sources for index in range(len(source))])


class Subset(_Elements):
    """Every n-th image of a set, or all others: a simple hold-out split.

    Args:
        every: n.
        held_out: True for images 0, n, 2n, ...; False for the rest.

    Raises:
        InputError: no image is left.
    """

    def __init__(self, source: ImageSource, every: int, held_out: bool):
        self.source = source
        self.indices = [index for index in range(len(source)) if (index % every == 0) == held_out]
        if not self.indices:
            raise InputError(f"no image is left of {len(source)} if every {every}th is held out: use another number")
        super().__init__([(source, index) for index in self.indices])


class CachedImages(_Elements):
    """A small set of which every image is decoded once and kept in memory."""

    def __init__(self, source: ImageSource):
        super().__init__([(source, index) for index in range(len(source))])
        self.source = source
        self._decoded: dict[int, LabelledImage] = {}

    def read(self, index: int) -> LabelledImage:
        if index not in self._decoded:
            self._decoded[index] = super().read(index)
        return self._decoded[index]


class JoinedVideos(ConcatDataset[TrainingVideo], Sequence[TrainingVideo]):
    """Several sets of training videos as one, in the order given.

    Args:
        weights: see `JoinedImages`. DAVIS with 5 next to YouTube-VOS with 1 is usual.

    Raises:
        InputError: no set is given, or a weight is not above 0 or names no set.
    """

    def __init__(self, sources: Mapping[str, Sequence[TrainingVideo]], weights: Mapping[str, float] | None = None):
        self.sources, self.weights = list(sources.values()), _checked_weights(list(sources), weights)
        super().__init__(self.sources)  # type: ignore[arg-type]  # a Dataset is anything with length and items


def _checked_weights(names: Sequence[str], weights: Mapping[str, float] | None) -> list[float]:
    """The weight of each set by the order of the names."""
    if not names:
        raise InputError("no set to join is given: name at least one")
    for name, weight in (weights or {}).items():
        if name not in names:
            raise InputError(f"weight of {name!r}, which is not one of the joined sets: use {', '.join(names)}")
        if weight <= 0:
            raise InputError(f"weight {weight} of {name!r} is not above 0: leave the set out instead")
    return [float((weights or {}).get(name, 1)) for name in names]


def repeats(source: ImageSource | Sequence[TrainingVideo]) -> Float[np.ndarray, "N"]:
    """How often a pass through a set holds each element: 1, or the weight of its set among joined ones."""
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
    """The videos that have at least the frames of a clip; a warning names the others. Joined sets keep their weights.

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
    listed = f"{'; '.join(short[:SHOWN])}{'; ...' if len(short) > SHOWN else ''}"
    if len(short) == len(videos):
        raise InputError(f"no video is long enough: {listed}: use longer videos, or a smaller augmentation.num_frames")
    warn(f"{len(short)} of {len(videos)} videos are too short and are left out of the training: {listed}")
    return _without_short(videos, num_frames)


def _without_short(videos: Sequence[TrainingVideo], num_frames: int) -> Sequence[TrainingVideo]:
    if not isinstance(videos, JoinedVideos):
        return [video for video in videos if len(video) >= num_frames]
    parts = [_without_short(part, num_frames) for part in videos.sources]
    kept = {str(index): part for index, part in enumerate(parts) if part}
    return JoinedVideos(kept, {name: videos.weights[int(name)] for name in kept})
