"""Find a user's videos, and the masks of each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path
from typing import NamedTuple

from vosmem.data.decoding.images import is_image
from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.archive import unpacked
from vosmem.inputs.frame_range import ChosenFrames, FrameRange
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks
from vosmem.inputs.mask_source import is_mask, open_masks
from vosmem.inputs.picture_folder import TAKEN, holds_frames, is_video_file, seen, visible_entries
from vosmem.inputs.picture_frames import PictureFrames
from vosmem.inputs.scan import MaskScan
from vosmem.inputs.user_video import UserVideo
from vosmem.inputs.video_file import VideoFrames
from vosmem.inputs.wording import listed

MAX_DEPTH = 4  # of folders below the input in which videos are searched
FRAMES, MASKS, RESOLUTION = "JPEGImages", "Annotations", "480p"


@dataclass(frozen=True)
class VideoInput:
    """The paths of a video and its masks, and how to read them; nothing is read yet.

    Methods raise `InputError` if the video or its masks cannot be used.
    """

    name: str  # also of the output folder
    frames: Path  # a folder of pictures, a video file, or one picture
    masks: Path | None  # an image, a file of annotations or a folder of either
    first_only: bool  # whether to use only the first mask of each object
    start: int | str | None  # frame of the only mask, by frame number or stem
    max_objects: int  # in all masks; more are treated as a mistake
    clean: bool  # whether to remove anti-aliased edges of masks
    notes: tuple[Note, ...] = ()  # decisions made while finding the video
    direction: str = "forward"  # of propagation; determines whose masks stay empty
    chosen: FrameRange | None = None  # the frames that are used; None for all

    def open(self) -> UserVideo:
        """Read the headers of the frames, and all masks."""
        frames = self.open_frames()
        return self.video(frames, self.scan(frames))

    def open_frames(self) -> FrameSource:
        """The frames without masks."""
        if self.frames.is_dir() or is_image(self.frames):
            frames: FrameSource = PictureFrames(self.frames, self.masks)
        else:
            frames = VideoFrames(self.frames)
        return frames if self.chosen is None else ChosenFrames(frames, self.chosen)

    def scan(self, frames: FrameSource) -> MaskScan:
        """Read all masks once."""
        return MaskScan(frames, self._open_masks(frames), self.start)

    def video(
        self, frames: FrameSource, scan: MaskScan, absent: Mapping[int, Collection[int]] | None = None
    ) -> UserVideo:
        """Join frames and masks; `absent` as in `UserVideo`."""
        return UserVideo(self.name, frames, scan, self.first_only, self.max_objects, absent, self.notes, self.direction)

    def _open_masks(self, frames: FrameSource) -> GivenMasks:
        if self.masks is None:
            raise InputError(f"video {self.name!r} has no mask: give one with --mask to select the objects")
        return open_masks(self.masks, frames, self.max_objects, self.clean)


def open_videos(
    source: Path,
    mask: Path | None,
    *,
    start: int | str | None = None,
    max_objects: int = 50,
    clean: bool = False,
    frames: FrameRange | None = None,
) -> list[VideoInput]:
    """Find videos and their masks. Nothing is decoded, so a damaged video does not affect the others.

    Args:
        source: a video file, a folder of frames, a folder of either, a zip file of them, or a data set with
            `JPEGImages/`.
        mask: an image, a file of annotations, an array, a video, or a folder or zip file of them; for several videos
            a folder with one of these by the name of each video. None: the data set's own `Annotations`, only the
            first mask of each object.
        start: frame of the only mask, by its index in the whole video or its stem.
        max_objects: largest number of objects.
        clean: whether to remove anti-aliased edges of masks.
        frames: the frames that are used; None for all.

    Raises:
        InputError: the source is missing or holds no video, or one mask is given for several videos.
    """
    if max_objects < 1:
        raise InputError(f"--max-objects {max_objects} is below 1: use 1 or more")
    if not source.exists():
        raise InputError(f"input {str(source)!r} is missing: give a video file or a folder of frames")
    source, mask = unpacked(source), None if mask is None else unpacked(mask)
    videos, annotations, notes = _find(source, mask)
    if not videos:
        raise InputError(f"folder {str(source)!r} holds no frames and no videos, only {seen(source)}: give {TAKEN}")
    if mask is not None and mask.is_file() and len(videos) > 1:
        raise InputError(
            f"mask {str(mask)!r} is one file for {len(videos)} videos: give a folder with one for each name"
        )
    first_only, num_videos = mask is None, len(videos)
    return [
        VideoInput(
            name,
            path,
            _masks_of(name, mask, annotations, num_videos),
            first_only,
            start,
            max_objects,
            clean,
            notes,
            chosen=frames,
        )
        for name, path in videos.items()
    ]


class _FoundVideos(NamedTuple):
    """Videos by name, the data set's folder of masks, and the decisions made."""

    videos: dict[str, Path]
    annotations: Path | None = None
    notes: tuple[Note, ...] = ()


def _find(source: Path, mask: Path | None) -> _FoundVideos:
    if source.is_file():
        return _FoundVideos({source.stem: source})
    frames = source / FRAMES
    if not frames.is_dir():
        if holds_frames(source):
            return _FoundVideos({source.resolve().name: source})
        return _videos_in(source, mask)
    if holds_frames(frames):
        return _FoundVideos({source.resolve().name: frames}, source / MASKS)
    inner = [path for path in visible_entries(frames) if path.is_dir()]
    if not inner or any(map(holds_frames, inner)):
        return _videos_in(frames, mask)._replace(annotations=source / MASKS)
    chosen = frames / RESOLUTION if frames / RESOLUTION in inner else inner[0]
    others = [path.name for path in inner if path != chosen]
    notes = (Decision.RESOLUTION_CHOSEN.note(name=chosen.name, others=listed(others)),) if others else ()
    return _FoundVideos(_videos_in(chosen, mask).videos, source / MASKS / chosen.name, notes)


def _videos_in(folder: Path, mask: Path | None) -> _FoundVideos:
    """The video files and folders of frames in a folder and below, with a note on pictures next to them.

    Videos are named by their path below the folder that holds all of them.
    """
    found, pictures = _search(folder, mask.resolve() if mask is not None and mask.is_dir() else None)
    common = Path(commonpath([path.parent for path in found])) if found else folder
    videos: dict[str, Path] = {}
    for path in found:
        below = path.relative_to(common)
        name = (below if path.is_dir() else below.with_suffix("")).as_posix()
        videos[below.as_posix() if name in videos else name] = path
    notes = (Decision.PICTURES_BESIDE_VIDEOS.note(names=listed(pictures)),) if pictures else ()
    return _FoundVideos(videos, notes=notes)


def _search(folder: Path, masks: Path | None, depth: int = 0) -> tuple[list[Path], list[str]]:
    """The videos in a folder that is no video, and the names of pictures that belong to none."""
    found: list[Path] = []
    entries = visible_entries(folder)
    pictures = [path.name for path in entries if is_image(path)]
    for path in entries:
        if is_video_file(path) or (path.is_dir() and path.resolve() != masks and holds_frames(path)):
            found.append(path)
        elif path.is_dir() and path.resolve() != masks and depth < MAX_DEPTH:
            inner, more = _search(path, masks, depth + 1)
            found, pictures = found + inner, pictures + more
    return found, pictures


def _masks_of(name: str, mask: Path | None, annotations: Path | None, num_videos: int) -> Path | None:
    """The mask file or folder of the video of a name."""
    folder = annotations if mask is None else mask
    if folder is None or folder.is_file():
        return folder
    if (folder / name).is_dir():
        return folder / name
    entries = visible_entries(folder) if folder.is_dir() else []
    if num_videos == 1 and (mask is not None or any(map(is_mask, entries))):
        return folder
    below = (folder / name).parent
    files = (
        (path for path in visible_entries(below) if path.is_file() and is_mask(path)) if below.is_dir() else iter(())
    )
    return next((path for path in files if path.stem == Path(name).name), None)
