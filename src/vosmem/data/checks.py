"""Checks of data before training starts."""

from collections.abc import Callable, Sequence
from functools import partial

from vosmem.data.stills import StillSource
from vosmem.data.training_videos import TrainingVideo
from vosmem.errors import InputError

SHOWN = 10


def check_videos(videos: Sequence[TrainingVideo], num_frames: int) -> None:
    """Look at the header of every frame and mask of a set of videos.

    Args:
        videos: the videos.
        num_frames: frames that a clip takes.

    Raises:
        InputError: a video is shorter than a clip, or frames or masks cannot be opened or differ in size; the message
            lists the first ten and the count.
    """
    faults, total = [], 0
    for video in videos:
        total += len(video)
        if len(video) < num_frames:
            faults.append(f"video {video.name}: {len(video)} frames with masks, a clip takes {num_frames}")
        for t in range(len(video)):
            faults += _fault(partial(video.sizes, t), f"{video.name}, frame {t}")
    _raise_faults(faults, f"{total} frames of {len(videos)} videos")


def check_stills(source: StillSource) -> None:
    """Look at the header of every picture and mask of a set.

    Args:
        source: the stills.

    Raises:
        InputError: pictures or masks cannot be opened or differ in size; the message lists the first ten and the count.
    """
    faults = []
    for index in range(len(source)):
        faults += _fault(partial(source.sizes, index), source.name(index))
    _raise_faults(faults, f"{len(source)} stills")


def _fault(sizes: Callable[[], tuple[tuple[int, int], tuple[int, int]]], name: str) -> list[str]:
    try:
        image, mask = sizes()
    except InputError as error:
        return [str(error)]
    return [] if image == mask else [f"{name}: image {image[0]}x{image[1]}, mask {mask[0]}x{mask[1]}"]


def _raise_faults(faults: list[str], of: str) -> None:
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise InputError(f"{len(faults)} of {of} cannot be used: {'; '.join(faults[:SHOWN])}{more}")
