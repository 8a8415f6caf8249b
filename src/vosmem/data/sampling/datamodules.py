"""LightningDataModules: which samples, in which order, for training and validation."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from vosmem.data.clips.image_clips import ClipAugmentation, JoinedClips, SyntheticClips
from vosmem.data.clips.video_clips import VideoClips
from vosmem.data.sampling.clip_data import ClipData
from vosmem.data.sampling.curriculum import Curriculum
from vosmem.data.sources.check_cache import check_once, files_of
from vosmem.data.sources.checks import check_images, check_videos
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.sources.joined import long_enough
from vosmem.data.sources.joined import repeats as repeats_of
from vosmem.data.sources.training_videos import TrainingVideo, folder_videos
from vosmem.errors import InputError


class PretrainData(ClipData):
    """Synthetic clips of stills for training.

    Args:
        source: the training stills.
        augmentation: how a still becomes a training clip.
        seed: base seed of order and draws.
        settings: the rest of `ClipData`'s.
    """

    def __init__(self, *, source: ImageSource, augmentation: ClipAugmentation, seed: int, **settings: Any):
        self.source = source
        super().__init__(
            clips=SyntheticClips(source, augmentation, seed), repeats=repeats_of(source), seed=seed, **settings
        )

    def check(self, decode: bool = False) -> bool:
        """As `ClipData.check`, of all training stills."""
        check = partial(check_images, self.source, decode)
        return check_once(check, files_of(self.source), f"images, decode={decode}")

    def sample_name(self, item: int) -> str:
        """The still's."""
        return self.source.name(item)


class MainData(ClipData):
    """Clips of videos for training.

    Args:
        videos: the training videos.
        augmentation: augmentation; its `num_frames` is the clip's length.
        curriculum: the greatest skip of each epoch.
        reversal: probability that a clip runs backwards.
        redundancy: probability that a clip remembers some frames several times.
        returning: probability that a clip's last frames show a moment of long before.
        seed: base seed of order and draws.
        settings: the rest of `ClipData`'s.
    """

    def __init__(
        self,
        *,
        videos: Sequence[TrainingVideo],
        augmentation: ClipAugmentation,
        curriculum: Curriculum,
        reversal: float,
        redundancy: float = 0.0,
        returning: float = 0.0,
        seed: int,
        **settings: Any,
    ):
        self.num_frames = augmentation.num_frames
        self.videos = videos = long_enough(videos, self.num_frames)
        clips = VideoClips(videos, augmentation, seed, reversal, redundancy, returning)
        super().__init__(clips=clips, repeats=repeats_of(videos), seed=seed, curriculum=curriculum, **settings)

    def check(self, decode: bool = False) -> bool:
        """As `ClipData.check`, of all training videos."""
        check = partial(check_videos, self.videos, self.num_frames, decode)
        return check_once(check, files_of(self.videos), f"videos, {self.num_frames} frames a clip, decode={decode}")

    def sample_name(self, item: int) -> str:
        """The video's."""
        return self.videos[item].name


class MixedData(ClipData):
    """Clips of videos and synthetic clips of stills in one training.

    Few videos are soon known by heart; stills add objects, as clips of their own and pasted over the videos.

    Args:
        videos: the training videos.
        stills: the training stills; also the donors of what is pasted.
        augmentation: augmentation of video clips.
        image_augmentation: how a still becomes a clip.
        image_share: share of the clips that are made of stills, in (0, 1).
        curriculum: the greatest skip of video clips.
        reversal: probability that a video clip runs backwards.
        seed: base seed of order and draws.
        settings: the rest of `ClipData`'s.

    Raises:
        InputError: `image_share` is outside (0, 1), or the clips differ in size or number of frames.
    """

    def __init__(
        self,
        *,
        videos: Sequence[TrainingVideo],
        images: ImageSource,
        augmentation: ClipAugmentation,
        image_augmentation: ClipAugmentation,
        image_share: float,
        curriculum: Curriculum,
        reversal: float,
        seed: int,
        **settings: Any,
    ):
        if not 0 < image_share < 1:
            raise InputError(
                f"datamodule.image_share={image_share} is outside (0, 1): use datamodule=main or datamodule=images "
                f"alone"
            )
        shapes = [(made.size, made.num_frames) for made in (augmentation, image_augmentation)]
        if shapes[0] != shapes[1]:
            raise InputError(f"clips of videos and of stills differ in (size, num_frames): {shapes[0]} and {shapes[1]}")
        self.images, self.num_frames = images, augmentation.num_frames
        self.videos = videos = long_enough(videos, self.num_frames)
        self._joined = JoinedClips(
            [
                VideoClips(videos, augmentation, seed, reversal, donors=images),
                SyntheticClips(images, image_augmentation, seed),
            ]
        )
        parts = [(repeats_of(videos), 1 - image_share), (repeats_of(images), image_share)]
        # Shares of the clips, whatever the sizes of the sets: a pass is as long as both sets together.
        total = sum(part.sum() for part, _ in parts)
        repeats = np.concatenate([part * share * total / part.sum() for part, share in parts])
        super().__init__(clips=self._joined, repeats=repeats, seed=seed, curriculum=curriculum, **settings)

    def check(self, decode: bool = False) -> bool:
        """As `ClipData.check`, of all training videos and stills."""
        videos = partial(check_videos, self.videos, self.num_frames, decode)
        ran = check_once(videos, files_of(self.videos), f"videos, {self.num_frames} frames a clip, decode={decode}")
        images = partial(check_images, self.images, decode)
        return check_once(images, files_of(self.images), f"images, decode={decode}") or ran

    def sample_name(self, item: int) -> str:
        """The video's or the still's."""
        which, index = self._joined.locate(item)
        return self.images.name(index) if which else self.videos[index].name


class FolderData(MainData):
    """`MainData` of one folder with `JPEGImages/<video>` and `Annotations/<video>`.

    Args:
        root: the folder.
        settings: the rest of `MainData`'s.
    """

    def __init__(self, *, root: str, **settings: Any):
        super().__init__(videos=folder_videos(root), **settings)
