"""Training clips of videos: a few frames in temporal order, further apart as the curriculum proceeds."""

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

from vosmem.data.clips.image_clips import ClipAugmentation, as_clip
from vosmem.data.sampling.sampler import SampleKey
from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.errors import InputError
from vosmem.shapes import Clip

FIRST_FRAME_DRAWS = 6  # to find a first frame that holds an object


class VideoClips(Dataset):
    """Clips of a set of videos; a sample depends only on (seed, epoch, index in the epoch, greatest skip).

    Args:
        augmentation: augmentation; its `num_frames` is the clip's length.
        reversal: probability that a clip runs backwards.
        redundancy: probability that some frames of a clip, except the last two, repeat: the frames between two copies
            are then as informative as the augmentation makes them, and no more.
        returning: probability that a clip's last two frames are from long before, as if an object came back: the memory
            then says more about them than the previous frame does.
        donors: images whose objects may be pasted over the clips; None pastes only copies of a clip's own objects.

    Raises:
        InputError: clips are too short for `returning`.
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
                f"datamodule.returning={returning} needs 4 or more frames a clip, not {augmentation.num_frames}: use "
                "datamodule.returning=0, or augmentation.num_frames=4 or more"
            )
        self.videos, self.augmentation, self.seed = videos, augmentation, seed
        self.reversal, self.redundancy, self.returning = reversal, redundancy, returning
        self.donors = donors

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, key: SampleKey) -> Clip:
        video = self.videos[key.item]

        def take(rng: np.random.Generator) -> list[LabelledImage]:
            for _ in range(FIRST_FRAME_DRAWS):
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
            frames = {times[0]: first}
            return [frames[t] if t in frames else frames.setdefault(t, video.read(t)) for t in times]

        return as_clip(*self.augmentation.of_frames(take, (self.seed, key.epoch, key.position), self.donors))


def repeated(times: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Replace some frame indices of a clip by copies of others, in order; the first and the last two stay.

    Example:
        >>> repeated([0, 3, 4, 8, 9, 11], np.random.default_rng(3))
        [0, 0, 3, 8, 9, 11]
    """
    past, queried = list(times[:-2]), list(times[-2:])
    distinct = int(rng.integers(1, max(2, len(past))))
    chosen = np.append(0, 1 + rng.permutation(len(past) - 1)[: distinct - 1])
    indices = np.sort(np.append(chosen, rng.choice(chosen, len(past) - len(chosen))))
    return [past[index] for index in indices] + queried


def returned(times: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Move the last two of four or more frame indices to a random interval between two earlier ones.

    Example:
        >>> returned([0, 10, 20, 30, 31, 32], np.random.default_rng(1))
        [0, 10, 20, 30, 11, 20]
    """
    past = list(times[:-2])
    index = int(rng.integers(0, len(past) - 1))
    first, last = past[index : index + 2]
    shares = np.sort(rng.random(2))
    return past + [round(first + share * (last - first)) for share in shares]


def choose_times(num_frames: int, count: int, max_skip: int, frame_step: int, rng: np.random.Generator) -> list[int]:
    """Draw the ascending frame indices of a clip.

    Args:
        num_frames: length of the video, at least `count`.
        count: length of the clip.
        max_skip: greatest number of frames of the original rate to skip between two neighbours; each pair draws its
            own, uniformly from 0 up. Less if the video is too short for it.
        frame_step: frames of the original rate between two frames of the video.

    Source:
        STM's authors for skips; STCN for dividing a skip by 5 where only every fifth frame is there.
    """
    greatest_step = (num_frames - 1) // (count - 1)  # that always fits
    most = min(max_skip, greatest_step * frame_step - 1)
    steps = 1 + rng.integers(0, most + 1, count - 1) // frame_step
    start = int(rng.integers(0, num_frames - int(steps.sum())))
    return [start, *(start + int(offset) for offset in np.cumsum(steps))]
