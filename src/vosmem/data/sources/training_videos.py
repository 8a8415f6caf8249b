"""Videos as training reads them: any frame that has a mask, by its number."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from vosmem.data.decoding.images import find_void_rule, image_size, read_image, read_labels
from vosmem.data.decoding.void import VoidRule
from vosmem.data.rendering.rendered_videos import RenderedSequence, RenderedVideos
from vosmem.data.sources.image_sets import LabelledImage
from vosmem.data.sources.video_folders import davis_folders, list_pictures, plain_folders
from vosmem.errors import InputError


@runtime_checkable
class TrainingVideo(Protocol):
    """A video whose frames all have masks.

    Attributes:
        name: what messages call it.
        frame_step: frames of the original rate from one frame to the next: 5 where every fifth is there.
    """

    name: str
    frame_step: int

    def __len__(self) -> int: ...

    def read(self, t: int) -> LabelledImage:
        """Frame t and its objects, by the ids that they have throughout the video."""
        ...

    def sizes(self, t: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Width and height of frame t and of its mask, from their headers."""
        ...


class MaskedFrames:
    """The frames of a folder that have a mask.

    Args:
        name: what messages call the video.
        frames: folder of pictures, in natural order.
        masks: folder of masks with the frames' stems.
        merge_objects: all ids become object 1 (DAVIS-2016).
        frame_step: as in `TrainingVideo`.

    Raises:
        InputError: a folder is missing or empty, or a mask has no frame.
    """

    def __init__(self, name: str, frames: Path, masks: Path, merge_objects: bool = False, frame_step: int = 1):
        self.name, self.merge_objects, self.frame_step = name, merge_objects, frame_step
        mask_of = {path.stem: path for path in list_pictures(masks)}
        self.pairs = [(path, mask_of.pop(path.stem)) for path in list_pictures(frames) if path.stem in mask_of]
        if mask_of:
            lone = sorted(mask_of)[0]
            raise InputError(f"video {name!r}: mask {lone!r} has no frame in {str(frames)!r} ({len(mask_of)} in all)")

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, t: int) -> LabelledImage:
        """Decode frame and mask."""
        frame, mask = self.pairs[t]
        image, labels = read_image(frame), read_labels(mask, self._void)
        if labels.shape != image.shape[:2]:
            raise InputError(f"mask {str(mask)!r} and its frame differ in size: make them equal")
        return LabelledImage(image, (labels > 0).astype(labels.dtype) if self.merge_objects else labels)

    def sizes(self, t: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """From both headers."""
        frame, mask = self.pairs[t]
        return image_size(frame), image_size(mask)

    @cached_property
    def _void(self) -> VoidRule:
        return find_void_rule(mask for _, mask in self.pairs)


def davis_videos(
    root: str,
    year: int,
    image_set: str = "train",
    resolution: str = "480p",
    frame_step: int = 1,
    exclude: Sequence[str] = (),
) -> list[MaskedFrames]:
    """Training videos of a folder in DAVIS layout; 2016 merges the objects of a video.

    Args:
        root: holds `JPEGImages/`, `Annotations/` and `ImageSets/`.
        year: 2016 or 2017.
        image_set: name of the list.
        resolution: folder below `JPEGImages` and `Annotations`.
        frame_step: frames of the original rate between two neighbours: 2 for a copy with every second frame.
        exclude: videos of the list that are left out, such as those that validation uses.

    Raises:
        InputError: root, list or a video's folder is missing, or `exclude` names a video that is not in the list.
    """
    folders = davis_folders(root, year, image_set, resolution)
    unknown = [name for name in exclude if name not in {folder.name for folder in folders}]
    if unknown:
        raise InputError(f"exclude names {unknown[0]!r}, which is not in the {image_set} list of {root!r}")
    return [
        MaskedFrames(*folder, merge_objects=year == 2016, frame_step=frame_step)
        for folder in folders
        if folder.name not in exclude
    ]


def folder_videos(root: str, frame_step: int = 1) -> list[MaskedFrames]:
    """Training videos of any folder with `JPEGImages/<video>` and `Annotations/<video>`.

    Args:
        root: the folder.
        frame_step: frames of the original rate between two neighbours: 5 for YouTube-VOS at 6 frames a second.

    Raises:
        InputError: a folder is missing, or a mask has no frame.
    """
    return [MaskedFrames(*folder, frame_step=frame_step) for folder in plain_folders(root)]


class RenderedTraining(Sequence[TrainingVideo]):
    """Rendered videos as training videos, streamed: nothing lies on disk.

    Args:
        videos: the rendered videos; one is staged when it is asked for, and renders the frames that a clip takes.
    """

    def __init__(self, videos: RenderedVideos):
        self.videos = videos

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> TrainingVideo:  # type: ignore[override]
        """A video; slices are not needed."""
        return _Rendered(self.videos, range(len(self))[index])


class _Rendered:
    """A rendered video that is staged at its first frame."""

    frame_step = 1

    def __init__(self, videos: RenderedVideos, index: int):
        self.name = f"rendered_{index:04d}"
        self._videos, self._index = videos, index
        self._scene = videos.scene

    def __len__(self) -> int:
        return self._scene.num_frames

    def read(self, t: int) -> LabelledImage:
        return LabelledImage(*self._staged.render(t))

    @cached_property
    def _staged(self) -> RenderedSequence:
        return self._videos[self._index]

    def sizes(self, t: int) -> tuple[tuple[int, int], tuple[int, int]]:
        size = (self._scene.width, self._scene.height)
        return size, size
