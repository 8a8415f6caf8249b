"""LightningDataModules: which samples, in which order, for training and validation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vosmem.data.clips.image_clips import ClipAugmentation, JoinedClips, SyntheticClips
from vosmem.data.clips.video_clips import VideoClips
from vosmem.data.sampling.clip_data import ClipData
from vosmem.data.sampling.curriculum import Curriculum
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.sources.joined import long_enough
from vosmem.data.sources.joined import repeats as repeats_of
from vosmem.data.sources.training_videos import TrainingVideo, training_videos
from vosmem.errors import InputError


class PretrainData(ClipData):
    """Synthetic clips of images for training."""

    def __init__(self, *, source: ImageSource, augmentation: ClipAugmentation, seed: int, **settings: Any):
        super().__init__(
            clips=SyntheticClips(source, augmentation, seed),
            images=source,
            num_frames=augmentation.num_frames,
            repeats=repeats_of(source),
            seed=seed,
            **settings,
        )


class MainData(ClipData):
    """Clips of videos for training.

    Args:
        augmentation: augmentation; its `num_frames` is the clip's length.
        reversal: probability that a clip runs backwards.
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
        videos = long_enough(videos, augmentation.num_frames)
        super().__init__(
            clips=VideoClips(videos, augmentation, seed, reversal, redundancy, returning),
            videos=videos,
            num_frames=augmentation.num_frames,
            repeats=repeats_of(videos),
            seed=seed,
            curriculum=curriculum,
            **settings,
        )


class MixedData(ClipData):
    """Clips of videos and synthetic clips of images in one training.

    A network memorises few videos quickly; images add objects, as clips of their own and pasted over the videos.

    Args:
        images: the training images; also the donors of pasted objects.
        augmentation: augmentation of video clips.
        image_augmentation: how an image becomes a clip.
        image_share: share of the clips that are made of images, in (0, 1).
        reversal: probability that a video clip runs backwards.

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
                f"datamodule.image_share={image_share} is outside (0, 1): use datamodule=main for videos only, or "
                "datamodule=images for images only"
            )
        shapes = [(each.size, each.num_frames) for each in (augmentation, image_augmentation)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"clips of videos and of images differ in (size, num_frames): {shapes[0]} and {shapes[1]}: make "
                "augmentation and datamodule.image_augmentation agree"
            )
        videos = long_enough(videos, augmentation.num_frames)
        clips_of_videos = VideoClips(videos, augmentation, seed, reversal, donors=images)
        clips_of_images = SyntheticClips(images, image_augmentation, seed)
        parts = [(repeats_of(videos), 1 - image_share), (repeats_of(images), image_share)]
        # The shares hold for sets of any size: a pass is as long as both sets together.
        total = sum(part.sum() for part, _ in parts)
        repeats = np.concatenate([part * share * total / part.sum() for part, share in parts])
        super().__init__(
            clips=JoinedClips([clips_of_videos, clips_of_images]),
            videos=videos,
            images=images,
            num_frames=augmentation.num_frames,
            repeats=repeats,
            seed=seed,
            curriculum=curriculum,
            **settings,
        )


class FolderData(MainData):
    """`MainData` of one data set on disk.

    Args:
        layout: key of `video_layouts.LAYOUTS`; `folder` has `JPEGImages/<video>` and `Annotations/<video>`.
    """

    def __init__(self, *, root: str, layout: str = "folder", **settings: Any):
        super().__init__(videos=training_videos(layout, root), **settings)
