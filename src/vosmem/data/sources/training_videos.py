"""Videos as training reads them: any frame that has a mask, by its index."""

from collections.abc import Collection
from typing import Any, Protocol, runtime_checkable

from vosmem.data.decoding.images import image_size
from vosmem.data.sources.image_sets import LabelledImage, Sizes, read_pair
from vosmem.data.sources.video_layouts import VideoFolder, find_videos


@runtime_checkable
class TrainingVideo(Protocol):
    """A video whose frames all have masks.

    Attributes:
        frame_step: frames of the original rate from one frame to the next: 5 where every fifth is there.
    """

    name: str
    frame_step: int

    def __len__(self) -> int: ...

    def read(self, t: int) -> LabelledImage:
        """Frame t and its objects; an id means the same object throughout the video."""
        ...

    def sizes(self, t: int) -> Sizes:
        """Width and height of frame t and of its mask, from their headers."""
        ...


class MaskedFrames:
    """The frames of a video on disk that have a mask.

    Raises:
        InputError: a folder is missing or empty, or a mask has no frame.
    """

    def __init__(self, video: VideoFolder, frame_step: int = 1):
        self.name, self.frame_step, self._video = video.name, frame_step, video
        masks = video.mask_paths
        self.pairs = [(frame, masks[frame.stem]) for frame in video.frame_paths if frame.stem in masks]

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, t: int) -> LabelledImage:
        return read_pair(*self.pairs[t], self._video.read_ids)

    def sizes(self, t: int) -> Sizes:
        frame, mask = self.pairs[t]
        return image_size(frame), image_size(mask)


def training_videos(
    layout: str, root: str, frame_step: int = 1, exclude: Collection[str] = (), **settings: Any
) -> list[MaskedFrames]:
    """Read a data set on disk for training.

    Args:
        layout: a key of `video_layouts.LAYOUTS`.
        frame_step: frames of the original rate between two neighbours: 5 for YouTube-VOS at 6 frames a second.
        exclude: names of videos to leave out, such as the validation videos.

    Raises:
        InputError: the layout or a name is unknown, or a folder or file is missing.
    """
    return [MaskedFrames(video, frame_step) for video in find_videos(layout, root, exclude=exclude, **settings)]
