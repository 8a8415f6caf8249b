"""Clips from stills: one photograph seen under several random affine maps is a short video with exact masks."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import Dataset

from vosmem.data.clips.framing import ObjectFraming
from vosmem.data.clips.pasting import Pasting
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.errors import InputError
from vosmem.shapes import Clip

REDRAWS = 5
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # albumentations would look for a newer version on the network


@dataclass
class ClipAugmentation:
    """Makes a clip from a still, as a function of the still and a seed alone.

    Args:
        size: side of the square frames in pixels, a multiple of 16.
        clip_transforms: albumentations transforms drawn once a clip.
        frame_transforms: albumentations transforms drawn anew for each frame; one of them cuts to `size`.
        num_frames: length of the clip.
        max_objects: objects followed at most; each clip follows a random number of them.
        min_object_pixels: an object with fewer pixels in frame 0 counts as lost and becomes background.
        framing: cuts the frames around the clip's objects before `clip_transforms`; None leaves them whole.
        pasting: objects of other stills that move by themselves, and copies of the clip's own, laid over the picture
            after `clip_transforms`.

    Raises:
        InputError: the size is not a multiple of 16, or a count is below 1 (frames below 2).

    Source:
        STM section 3.6 (pre-training on images).
    """

    size: int
    clip_transforms: Sequence[Callable[..., Any]]
    frame_transforms: Sequence[Callable[..., Any]]
    num_frames: int = 3
    max_objects: int = 3
    min_object_pixels: int = 16
    framing: ObjectFraming | None = None
    pasting: Pasting | None = None

    def __post_init__(self) -> None:
        if self.size < 16 or self.size % 16:
            raise InputError(
                f"clip size {self.size} is not a multiple of 16: use e.g. {max(16, round(self.size / 16) * 16)}"
            )
        if self.num_frames < 2 or self.max_objects < 1:
            raise InputError("a clip needs num_frames of 2 or more and max_objects of 1 or more")
        import albumentations as A  # not above, so that `vosmem segment` does not load it

        self._per_clip = A.Compose(list(self.clip_transforms))
        self._per_frame = A.Compose(list(self.frame_transforms))

    def __call__(
        self, labelled: LabelledImage, seed: Sequence[int], donors: ImageSource | None = None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Make a clip.

        Args:
            still: the photograph and its objects.
            seed: numbers that name the sample; equal seeds give equal clips.
            donors: stills whose objects may be pasted; without them copies of the clip's own alone are.

        Returns:
            frames (T, H, W, 3) bytes, labels (T, H, W) bytes 0..K, and K. A draw whose frame 0 lost every object is
            thrown away, at most 5 times; then the whole photograph is taken, without augmentation. K is 0 only if
            the still has no object.
        """
        return self.of_frames(lambda rng: [labelled] * self.num_frames, seed, donors)

    def of_frames(
        self,
        take: Callable[[np.random.Generator], Sequence[LabelledImage]],
        seed: Sequence[int],
        donors: ImageSource | None = None,
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Make a clip of frames that a function takes, anew for each draw.

        Args:
            take: gives `num_frames` frames with their objects, of one size.
            seed: numbers that name the sample.
            donors: stills whose objects may be pasted.

        Returns:
            as calling the augmentation does, with the whole frames in place of the whole photograph.
        """
        for attempt in range(1 + REDRAWS):
            draw = _seeds((*seed, attempt), 3 + self.num_frames)
            rng = np.random.default_rng(draw[0])
            taken = take(rng)
            table = choose_objects(taken[0].labels, self.max_objects, rng)
            chosen = [LabelledImage(moment.image, table[moment.labels]) for moment in taken]
            framed = chosen if self.framing is None else self.framing(chosen, rng)
            frames, labels = self._draw(framed, draw[1:], donors)
            labels, count = keep_first_objects(labels, self.min_object_pixels)
            if count:
                return frames, labels, count
        size = (self.size, self.size)
        frames = np.stack([cv2.resize(moment.image, size, interpolation=cv2.INTER_AREA) for moment in chosen])
        labels, count = keep_first_objects(np.stack([self._shrink(moment.labels) for moment in chosen]), 1)
        return frames, labels, count

    def _alike(self, moments: Sequence[LabelledImage], seed: int) -> list[LabelledImage]:
        """The clip's transforms with the same draws for each frame; one still is transformed once."""
        made: dict[int, LabelledImage] = {}
        for moment in moments:
            if id(moment.image) not in made:
                self._per_clip.set_random_seed(seed)
                done = self._per_clip(image=moment.image, mask=moment.labels)
                made[id(moment.image)] = LabelledImage(done["image"], done["mask"])
        return [made[id(moment.image)] for moment in moments]

    def _shrink(self, labels: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "h w"]:
        """Labels of the whole photograph at the clip's size; an object too thin for the nearest label stays too."""
        small = cv2.resize(labels, (self.size, self.size), interpolation=cv2.INTER_NEAREST_EXACT)
        for label in np.setdiff1d(labels, small):
            mask = (labels == label).astype(np.float32)
            small[cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_AREA) > 0] = label
        return small

    def _draw(
        self, moments: Sequence[LabelledImage], seeds: Sequence[int], donors: ImageSource | None
    ) -> tuple[np.ndarray, np.ndarray]:
        moments = self._alike(moments, seeds[0])
        if self.pasting is not None:
            moments = self.pasting(moments, donors, self.max_objects, np.random.default_rng(seeds[-1]))
        frames, labels = [], []
        for moment, seed in zip(moments, seeds[1:-1], strict=True):
            self._per_frame.set_random_seed(seed)
            frame = self._per_frame(image=moment.image, mask=moment.labels)
            frames.append(frame["image"])
            labels.append(frame["mask"])
        stacked = np.stack(frames)
        if stacked.shape[1:3] != (self.size, self.size):
            raise InputError(
                f"frame_transforms give {stacked.shape[2]}x{stacked.shape[1]} pixels instead of size={self.size}"
            )
        return stacked, np.stack(labels)


class SyntheticClips(Dataset):
    """Clips of a set of stills; a sample depends on (seed, epoch, place in the epoch) alone.

    Args:
        source: the stills.
        augmentation: how a still becomes a clip.
        seed: base seed of all draws.
    """

    def __init__(self, source: ImageSource, augmentation: ClipAugmentation, seed: int):
        self.source, self.augmentation, self.seed = source, augmentation, seed

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: SampleKey) -> Clip:
        """The clip of a sampler's key, as tensors without the batch axis."""
        seed = (self.seed, key.epoch, key.place)
        return as_clip(*self.augmentation(self.source.read(key.item), seed, self.source))


def as_clip(frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], num_objects: int) -> Clip:
    """Tensors without the batch axis."""
    stacked = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
    return Clip(stacked, torch.from_numpy(labels), torch.tensor(num_objects))


def choose_objects(labels: UInt8[np.ndarray, "H W"], most: int, rng: np.random.Generator) -> UInt8[np.ndarray, "256"]:
    """A table from ids to a random number of them, 1 to `most`, renumbered 1.. in random order; the rest becomes 0.

    The number is random because a network that always gets every object of a photograph can find them without
    looking at the given mask.
    """
    ids = np.unique(labels[labels > 0])
    count = min(len(ids), int(rng.integers(1, most + 1)))
    chosen = rng.permutation(ids)[:count]
    table = np.zeros(256, np.uint8)
    table[chosen] = np.arange(1, count + 1)
    return table


def keep_first_objects(labels: UInt8[np.ndarray, "T H W"], min_pixels: int) -> tuple[UInt8[np.ndarray, "T H W"], int]:
    """Objects seen in frame 0, renumbered without gaps; objects lost from it are background in the whole clip."""
    pixels = np.bincount(labels[0].ravel(), minlength=256)
    seen = np.flatnonzero(pixels[1:] >= min_pixels) + 1
    table = np.zeros(256, np.uint8)
    table[seen] = np.arange(1, len(seen) + 1)
    return table[labels], len(seen)


def _seeds(entropy: Sequence[int], count: int) -> list[int]:
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(count)]


class JoinedClips(Dataset):
    """Clips of several sets in one training, such as stills and videos.

    Args:
        parts: the sets; the items of a part follow those of the parts before it.
    """

    def __init__(self, parts: Sequence[Dataset]):
        self.parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self.parts])  # type: ignore[arg-type]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, key: SampleKey) -> Clip:
        """The clip of a sampler's key."""
        which, item = self.locate(key.item)
        clip: Clip = self.parts[which][key._replace(item=item)]
        return clip

    def locate(self, item: int) -> tuple[int, int]:
        """The part that an item belongs to, and its index there."""
        which = int(np.searchsorted(self._ends, item, side="right"))
        return which, item - (int(self._ends[which - 1]) if which else 0)
