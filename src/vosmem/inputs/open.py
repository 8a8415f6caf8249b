"""Finding a user's videos, and the masks that belong to each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from natsort import natsorted

from vosmem.data.decoding.images import is_image
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.pictures import read_header
from vosmem.errors import InputError
from vosmem.inputs.annotations import AnnotationMasks
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks, PictureMasks, pictures_by_stem
from vosmem.inputs.picture_folder import holds_frames, is_video_file, pictures_beside_videos, seen
from vosmem.inputs.picture_frames import PictureFrames
from vosmem.inputs.scan import MaskScan
from vosmem.inputs.user_video import UserVideo
from vosmem.inputs.video_file import VideoFrames
from vosmem.inputs.wording import counted, listed

FRAMES, MASKS, RESOLUTION = "JPEGImages", "Annotations", "480p"


@dataclass(frozen=True)
class VideoInput:
    """A video and its masks, found but not read yet.

    Attributes:
        name: of the video; folders of output are called so.
        frames: a folder of pictures, a video file, or one picture.
        masks: a picture, a JSON file or a folder of either; None where there is none.
        first_only: whether of each object the first mask alone is used.
        start: frame of the only mask.
        max_objects: more objects than this are taken for a mistake.
        clean: whether what anti-aliasing leaves at edges of masks is taken away.
        notes: what was decided while the video was found.
        direction: in which objects are followed, which decides where masks stay empty.
    """

    name: str
    frames: Path
    masks: Path | None
    first_only: bool
    start: int | str | None
    max_objects: int
    clean: bool
    notes: tuple[Note, ...] = ()
    direction: str = "forward"

    def open(self) -> UserVideo:
        """Read the headers of the frames and all masks.

        Raises:
            InputError: the video or its masks cannot be used.
        """
        frames = self.open_frames()
        return self.video(frames, self.scan(frames))

    def open_frames(self) -> FrameSource:
        """The video without its masks.

        Raises:
            InputError: it cannot be read.
        """
        if self.frames.is_dir() or is_image(self.frames):
            return PictureFrames(self.frames, self.masks)
        return VideoFrames(self.frames)

    def scan(self, frames: FrameSource) -> MaskScan:
        """Look at all masks.

        Raises:
            InputError: there is none.
        """
        return MaskScan(frames, self._open_masks(frames), self.start)

    def video(
        self, frames: FrameSource, scan: MaskScan, absent: Mapping[int, Collection[int]] | None = None
    ) -> UserVideo:
        """Video and masks together.

        Args:
            frames: of the video.
            scan: of its masks.
            absent: as of `UserVideo`.

        Raises:
            InputError: the masks cannot be used.
        """
        return UserVideo(self.name, frames, scan, self.first_only, self.max_objects, absent, self.notes, self.direction)

    def _open_masks(self, frames: FrameSource) -> GivenMasks:
        if self.masks is None:
            raise InputError(f"video {self.name!r} has no mask: give one with --mask to say what to follow")
        if not self.masks.exists():
            raise InputError(f"mask {str(self.masks)!r} is missing: give a picture, a JSON file or a folder of them")
        files = natsorted(seen(self.masks)) if self.masks.is_dir() else [self.masks]
        annotations = [path for path in files if path.suffix.lower() == ".json"]
        pictures = pictures_by_stem(files)
        # LabelMe writes its files beside the pictures that they annotate, which are no masks then.
        if (annotations and all(path.stem in pictures for path in annotations)) or (not pictures and annotations):
            return AnnotationMasks(annotations)
        if not pictures:
            raise InputError(f"{str(self.masks)!r} is no mask: give a picture, a JSON file or a folder of them")
        if self.masks.is_file() and len(pages := read_header(self.masks, "mask").pages) > 1:
            return self._stack(self.masks, pages, frames)
        return PictureMasks(str(self.masks), pictures, self.max_objects, self.clean)

    def _stack(self, path: Path, pages: Sequence[int], frames: FrameSource) -> PictureMasks:
        if len(pages) != len(frames):
            raise InputError(
                f"mask {str(path)!r} has {len(pages)} pages and the video {counted(len(frames), 'frame')}: give a page "
                "for each frame, or one file for each mask, named like its frame"
            )
        names = frames.frame_names
        page_of = dict(zip(names, pages, strict=True))
        return PictureMasks(str(path), dict.fromkeys(names, path), self.max_objects, self.clean, page_of)


def open_videos(
    source: Path, mask: Path | None, *, start: int | str | None = None, max_objects: int = 50, clean: bool = False
) -> list[VideoInput]:
    """Find videos and their masks; nothing is decoded yet, so that one that is broken does not stop the others.

    Args:
        source: a video file, a folder of frames, a folder of either, or a data set with `JPEGImages/`.
        mask: a picture, a JSON file (COCO, LabelMe) or a folder of them; for several videos a folder that holds one
            of these by the name of each. None takes a data set's own `Annotations`, of each object its first mask.
        start: frame of the only mask, by number or by stem.
        max_objects: more objects than this are taken for a mistake.
        clean: whether what anti-aliasing leaves at edges of masks is taken away.

    Raises:
        InputError: the source is missing or holds no video, or one mask is given for several.
    """
    if max_objects < 1:
        raise InputError(f"--max-objects {max_objects} is not possible: use 1 or more")
    if not source.exists():
        raise InputError(f"input {str(source)!r} is missing: give a video file or a folder of frames")
    found, annotations, notes = _find(source)
    if not found:
        raise InputError(f"folder {str(source)!r} holds no frames and no videos")
    if mask is not None and mask.is_file() and len(found) > 1:
        raise InputError(
            f"mask {str(mask)!r} is one file for {len(found)} videos: give a folder with one for each name"
        )
    masks_of = _masks_of(mask, annotations, len(found))
    return [
        VideoInput(name, frames, masks_of(name), mask is None, start, max_objects, clean, notes)
        for name, frames in found.items()
    ]


class _Found(NamedTuple):
    """Videos by name, the folder of annotations that belongs to them, and what was decided on the way."""

    videos: dict[str, Path]
    annotations: Path | None = None
    notes: tuple[Note, ...] = ()


def _find(source: Path) -> _Found:
    if source.is_file():
        return _Found({source.stem: source})
    frames = source / FRAMES
    if not frames.is_dir():
        if holds_frames(source):
            return _Found({source.resolve().name: source})
        return _Found(_videos_in(source), None, pictures_beside_videos(source))
    if holds_frames(frames):
        return _Found({source.resolve().name: frames}, source / MASKS)
    inner = natsorted(path for path in seen(frames) if path.is_dir())
    if not inner or any(holds_frames(path) for path in inner):
        return _Found(_videos_in(frames), source / MASKS, pictures_beside_videos(frames))
    chosen = frames / RESOLUTION if frames / RESOLUTION in inner else inner[0]
    others = [path.name for path in inner if path != chosen]
    notes = (Decision.RESOLUTION_CHOSEN.note(name=chosen.name, others=listed(others)),) if others else ()
    return _Found(_videos_in(chosen), source / MASKS / chosen.name, notes)


def _videos_in(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in natsorted(seen(folder)):
        if is_video_file(path) or (path.is_dir() and holds_frames(path)):
            name = path.name if path.is_dir() else path.stem
            found[path.name if name in found else name] = path
    return found


def _masks_of(mask: Path | None, annotations: Path | None, num_videos: int) -> Callable[[str], Path | None]:
    """Which masks belong to the video of a name."""
    folder = annotations if mask is None else mask

    def choose(name: str) -> Path | None:
        if folder is None or folder.is_file():
            return folder
        inner = folder / name
        if inner.is_dir():
            return inner
        if num_videos == 1 and (mask is not None or (folder.is_dir() and any(map(is_image, seen(folder))))):
            return folder
        files = [path for path in (natsorted(seen(folder)) if folder.is_dir() else []) if path.is_file()]
        return next((path for path in files if path.stem == name and (is_image(path) or path.suffix == ".json")), None)

    return choose
