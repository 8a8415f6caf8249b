"""Checks of data before training starts."""

from collections.abc import Callable, Sequence
from functools import partial

from vosmem.data.sources.image_sets import ImageSource, LabelledImage
from vosmem.data.sources.training_videos import TrainingVideo
from vosmem.errors import InputError

SHOWN = 10


def check_videos(videos: Sequence[TrainingVideo], num_frames: int, decode: bool = False) -> None:
    """Look at the header of every frame and mask of a set of videos.

    Args:
        videos: the videos.
        num_frames: frames that a clip takes.
        decode: whether all of their content is read, too.

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
            reads = partial(video.read, t) if decode else None
            faults += _fault(partial(video.sizes, t), f"{video.name}, frame {t}", reads)
    _raise_faults(faults, f"{total} frames of {len(videos)} videos")


def check_images(source: ImageSource, decode: bool = False) -> None:
    """Look at the header of every picture and mask of a set.

    Args:
        source: the stills.
        decode: whether all of their content is read, too.

    Raises:
        InputError: pictures or masks cannot be opened or differ in size; the message lists the first ten and the count.
    """
    faults = []
    for index in range(len(source)):
        reads = partial(source.read, index) if decode else None
        faults += _fault(partial(source.sizes, index), source.name(index), reads)
    _raise_faults(faults, f"{len(source)} images")


def _fault(
    sizes: Callable[[], tuple[tuple[int, int], tuple[int, int]]], name: str, read: Callable[[], LabelledImage] | None
) -> list[str]:
    try:
        image, mask = sizes()
        if image != mask:
            return [f"{name}: image {image[0]}x{image[1]}, mask {mask[0]}x{mask[1]}"]
        if read is not None:
            read()
    except InputError as error:
        return [str(error)]
    return []


def _raise_faults(faults: list[str], of: str) -> None:
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise InputError(f"{len(faults)} of {of} cannot be used: {'; '.join(faults[:SHOWN])}{more}")
