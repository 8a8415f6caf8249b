"""Training clips of videos: a few frames in order of time, further apart as the curriculum goes on."""

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from vosmem.data.clips.image_clips import ClipAugmentation, as_clip
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.errors import InputError
from vosmem.shapes import Clip

LOOKS = 6  # at other times, for a first frame that holds an object


class VideoClips(Dataset):
    """Clips of a set of videos; a sample depends on (seed, epoch, place, greatest skip) alone.

    Args:
        videos: the videos.
        augmentation: augmentation; its `num_frames` is the clip's length.
        seed: base seed of all draws.
        reversal: probability that a clip runs backwards.
        redundancy: probability that frames of a clip, the last two left out, come several times: what is between two
            of them then says nothing new but for the augmentation's own changes.
        donors: stills whose objects may be pasted over the clips; None pastes copies of a clip's own objects only.
        returning: probability that a clip's last two frames show a moment of long before, as where an object comes
            back: what was last seen then says less of them than what is remembered.

    Raises:
        InputError: clips are too short to return to anything.
    """

    def __init__(
        self,
        videos: Sequence[TrainingVideo],
        augmentation: ClipAugmentation,
        seed: int,
        reversal: float = 0.0,
        redundancy: float = 0.0,
        returning: float = 0.0,
        donors: ImageSource | None = None,
    ):
        if returning and augmentation.num_frames < 4:
            raise InputError(
                f"clips of {augmentation.num_frames} frames cannot return to what they show: use "
                f"datamodule.returning=0, or "
                f"augmentation.num_frames=4 or more"
            )
        self.videos, self.augmentation, self.seed = videos, augmentation, seed
        self.reversal, self.redundancy, self.returning = reversal, redundancy, returning
        self.donors = donors

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, key: SampleKey) -> Clip:
        """The clip of a sampler's key, as tensors without the batch axis."""
        video = self.videos[key.item]

        def take(rng: np.random.Generator) -> list[LabelledImage]:
            for _ in range(LOOKS):
                times = choose_times(len(video), self.augmentation.num_frames, key.max_skip, video.frame_step, rng)
                if rng.random() < self.reversal:
                    times = times[::-1]
                first = video.read(times[0])
                if first.labels.any():
                    break
            if self.redundancy and rng.random() < self.redundancy:
                times = repeated(times, rng)
            if self.returning and rng.random() < self.returning:
                times = returned(times, rng)
            images = {times[0]: first}
            return [images[t] if t in images else images.setdefault(t, video.read(t)) for t in times]

        return as_clip(*self.augmentation.of_frames(take, (self.seed, key.epoch, key.place), self.donors))


def repeated(times: Sequence[int], rng: np.random.Generator) -> list[int]:
    """A few of the times in place of all, each several times in their order; the first, and the last two, stay.

    Args:
        times: of a clip's frames.
        rng: where the draws come from.

    Example:
        >>> repeated([0, 3, 4, 8, 9, 11], np.random.default_rng(3))
        [0, 0, 3, 8, 9, 11]
    """
    past, asked = list(times[:-2]), list(times[-2:])
    distinct = int(rng.integers(1, max(2, len(past))))
    chosen = np.append(0, 1 + rng.permutation(len(past) - 1)[: distinct - 1])
    places = np.sort(np.append(chosen, rng.choice(chosen, len(past) - len(chosen))))
    return [past[place] for place in places] + asked


def returned(times: Sequence[int], rng: np.random.Generator) -> list[int]:
    """The last two times moved to between two of the earlier ones, or onto them; the others stay.

    Args:
        times: of a clip's frames, four or more.
        rng: where the draws come from.

    Example:
        >>> returned([0, 10, 20, 30, 31, 32], np.random.default_rng(1))
        [0, 10, 20, 30, 11, 20]
    """
    past = list(times[:-2])
    place = int(rng.integers(0, len(past) - 1))
    first, last = past[place : place + 2]
    shares = np.sort(rng.random(2))
    return past + [round(first + share * (last - first)) for share in shares]


def choose_times(num_frames: int, count: int, max_skip: int, frame_step: int, rng: np.random.Generator) -> list[int]:
    """Ascending frame numbers of a clip.

    Args:
        num_frames: length of the video, at least `count`.
        count: length of the clip.
        max_skip: greatest number of frames of the original rate that are left out between two neighbours; each pair
            draws its own, evenly from 0 up. Less where the video is too short for it.
        frame_step: frames of the original rate between two frames of the video.
        rng: where the draws come from.

    Source:
        STM's authors on skips; a skip divided by 5 where only every fifth frame is there is STCN's.
    """
    room = (num_frames - 1) // (count - 1)  # the greatest difference that always fits
    most = min(max_skip, room * frame_step - 1)
    steps = 1 + rng.integers(0, most + 1, count - 1) // frame_step
    start = int(rng.integers(0, num_frames - int(steps.sum())))
    return [start, *(start + int(way) for way in np.cumsum(steps))]
