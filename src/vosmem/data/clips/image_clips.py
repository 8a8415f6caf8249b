"""Clips from images: one image seen under several random affine maps is a short video with exact masks."""

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import ConcatDataset, Dataset

from vosmem.data.clips.framing import ObjectFraming
from vosmem.data.clips.pasting import Pasting
from vosmem.data.clips.rough_masks import RoughFirstMask
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.errors import InputError
from vosmem.shapes import Clip

REDRAWS = 5
ROUGH = 1  # makes a seed of rough masks from that of pasting
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # albumentations would look for a newer version on the network


@dataclass
class ClipAugmentation:
    """Makes a clip from an image, as a function of the image and a seed only.

    Args:
        size: side of the square frames in pixels, a multiple of 16.
        clip_transforms: albumentations transforms drawn once a clip.
        frame_transforms: albumentations transforms drawn for each frame; one of them crops to `size`.
        num_frames: length of the clip.
        max_objects: largest number of objects to follow; each clip follows a random number of them.
        min_object_pixels: an object with fewer pixels in frame 0 is lost and becomes background.
        framing: crops the frames around the clip's objects before `clip_transforms`; None keeps whole frames.
        pasting: pastes moving objects of other images, and copies of the clip's own, after `clip_transforms`.
        rough: gives a share of the clips a rough first mask; None gives true masks.

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
    rough: RoughFirstMask | None = None

    def __post_init__(self) -> None:
        if self.size < 16 or self.size % 16:
            raise InputError(
                f"clip size {self.size} is not a multiple of 16: use e.g. {max(16, round(self.size / 16) * 16)}"
            )
        if self.num_frames < 2 or self.max_objects < 1:
            raise InputError(
                f"num_frames={self.num_frames} and max_objects={self.max_objects} of a clip: use 2 or more frames and "
                "1 or more objects"
            )
        import albumentations as A  # not above, so that `vosmem segment` does not load it

        self._per_clip = A.Compose(list(self.clip_transforms))
        self._per_frame = A.Compose(list(self.frame_transforms))

    def __call__(
        self, labelled: LabelledImage, seed: Sequence[int], donors: ImageSource | None = None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Make a clip.

        Args:
            labelled: the image and its objects.
            seed: numbers that identify the sample; equal seeds give equal clips.
            donors: images whose objects may be pasted; without donors only copies of the clip's own objects are.

        Returns:
            frames (T, H, W, 3) bytes, labels (T, H, W) bytes 0..K, and K. A draw whose frame 0 lost every object is
            rejected, at most 5 times; then the clip is the whole image without augmentation. K is 0 only if the image
            has no object.
        """
        return self.of_frames(lambda rng: [labelled] * self.num_frames, seed, donors)

    def of_frames(
        self,
        take: Callable[[np.random.Generator], Sequence[LabelledImage]],
        seed: Sequence[int],
        donors: ImageSource | None = None,
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Make a clip of frames, see `__call__`; `take` draws `num_frames` labelled frames of one size."""
        for attempt in range(1 + REDRAWS):
            draw = _seeds((*seed, attempt), 3 + self.num_frames)
            rng = np.random.default_rng(draw[0])
            taken = take(rng)
            table = choose_objects(taken[0].labels, self.max_objects, rng)
            chosen = [LabelledImage(frame.image, table[frame.labels]) for frame in taken]
            framed = chosen if self.framing is None else self.framing(chosen, rng)
            frames, labels = self._augment(framed, draw[1:], donors)
            labels, count = keep_first_objects(labels, self.min_object_pixels)
            if count:
                if self.rough is not None:
                    frames, labels = self.rough(frames, labels, np.random.default_rng([*draw[-1:], ROUGH]))
                return frames, labels, count
        size = (self.size, self.size)
        frames = np.stack([cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA) for frame in chosen])
        labels, count = keep_first_objects(np.stack([self._shrink(frame.labels) for frame in chosen]), 1)
        return frames, labels, count

    def _augment(
        self, clip: Sequence[LabelledImage], seeds: Sequence[int], donors: ImageSource | None
    ) -> tuple[np.ndarray, np.ndarray]:
        clip = self._transform_alike(clip, seeds[0])
        if self.pasting is not None:
            clip = self.pasting(clip, donors, self.max_objects, np.random.default_rng(seeds[-1]))
        frames, labels = [], []
        for frame, seed in zip(clip, seeds[1:-1], strict=True):
            self._per_frame.set_random_seed(seed)
            transformed = self._per_frame(image=frame.image, mask=frame.labels)
            frames.append(transformed["image"])
            labels.append(transformed["mask"])
        stacked = np.stack(frames)
        if stacked.shape[1:3] != (self.size, self.size):
            raise InputError(
                f"frame_transforms give {stacked.shape[2]}x{stacked.shape[1]} pixels instead of size={self.size}: "
                "end them with a crop to size"
            )
        return stacked, np.stack(labels)

    def _transform_alike(self, clip: Sequence[LabelledImage], seed: int) -> list[LabelledImage]:
        """Apply the clip's transforms with the same draws to each frame; an image that repeats is transformed once."""
        transformed: dict[int, LabelledImage] = {}
        for frame in clip:
            if id(frame.image) not in transformed:
                self._per_clip.set_random_seed(seed)
                result = self._per_clip(image=frame.image, mask=frame.labels)
                transformed[id(frame.image)] = LabelledImage(result["image"], result["mask"])
        return [transformed[id(frame.image)] for frame in clip]

    def _shrink(self, labels: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "h w"]:
        """Resize the labels of the whole image to the clip's size; objects too thin for the nearest label stay too."""
        small = cv2.resize(labels, (self.size, self.size), interpolation=cv2.INTER_NEAREST_EXACT)
        for label in np.setdiff1d(labels, small):
            mask = (labels == label).astype(np.float32)
            small[cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_AREA) > 0] = label
        return small


class SyntheticClips(Dataset):
    """Clips of a set of images; a sample depends only on (seed, epoch, index in the epoch)."""

    def __init__(self, source: ImageSource, augmentation: ClipAugmentation, seed: int):
        self.source, self.augmentation, self.seed = source, augmentation, seed

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: SampleKey) -> Clip:
        seed = (self.seed, key.epoch, key.position)
        return as_clip(*self.augmentation(self.source.read(key.item), seed, self.source))


def as_clip(frames: UInt8[np.ndarray, "T H W 3"], labels: UInt8[np.ndarray, "T H W"], num_objects: int) -> Clip:
    """Tensors without the batch axis."""
    stacked = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
    return Clip(stacked, torch.from_numpy(labels), torch.tensor(num_objects))


def choose_objects(labels: UInt8[np.ndarray, "H W"], most: int, rng: np.random.Generator) -> UInt8[np.ndarray, "256"]:
    """A table that renumbers 1 to `most` random ids as 1.. in random order; the other ids become 0.

    The number is random because a network that always gets every object of an image can find the objects without
    looking at the given mask.
    """
    ids = np.unique(labels[labels > 0])
    count = min(len(ids), int(rng.integers(1, most + 1)))
    chosen = rng.permutation(ids)[:count]
    table = np.zeros(256, np.uint8)
    table[chosen] = np.arange(1, count + 1)
    return table


def keep_first_objects(labels: UInt8[np.ndarray, "T H W"], min_pixels: int) -> tuple[UInt8[np.ndarray, "T H W"], int]:
    """Renumber the objects seen in frame 0 without gaps; objects lost from it are background in the whole clip."""
    pixels = np.bincount(labels[0].ravel(), minlength=256)
    seen = np.flatnonzero(pixels[1:] >= min_pixels) + 1
    table = np.zeros(256, np.uint8)
    table[seen] = np.arange(1, len(seen) + 1)
    return table[labels], len(seen)


def _seeds(entropy: Sequence[int], count: int) -> list[int]:
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(count)]


class JoinedClips(ConcatDataset[Clip]):
    """Clips of several sets in one training, such as videos and images; items are counted through the sets."""

    def __getitem__(self, key: SampleKey) -> Clip:  # a key is more than an index
        part = bisect_right(self.cumulative_sizes, key.item)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][key._replace(item=key.item - start)]
