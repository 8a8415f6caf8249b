"""Find out what a mask file or a folder of masks holds, and open it."""

from collections.abc import Mapping
from pathlib import Path

from vosmem.data.decoding.images import IMAGE_SUFFIXES, is_image
from vosmem.data.decoding.pictures import read_header
from vosmem.errors import InputError
from vosmem.inputs.annotations.masks import FORMATS, AnnotationMasks, is_annotation
from vosmem.inputs.annotations.masks import SUFFIXES as ANNOTATION_SUFFIXES
from vosmem.inputs.array_masks import SUFFIXES as ARRAY_SUFFIXES
from vosmem.inputs.array_masks import ArrayMasks, is_array
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks, PictureMasks, pages_by_frame
from vosmem.inputs.picture_folder import VIDEO_SUFFIXES, is_video_file, visible_entries
from vosmem.inputs.video_masks import VideoMasks

MASK_SUFFIXES = (*IMAGE_SUFFIXES, *ANNOTATION_SUFFIXES, *ARRAY_SUFFIXES, *VIDEO_SUFFIXES)
MASK_FILES = f"an image, {FORMATS}, npy, npz, a video of masks, or a folder of them"


def is_mask(path: Path) -> bool:
    """Whether a file can be a mask, by its name."""
    return is_image(path) or is_annotation(path) or is_array(path) or is_video_file(path)


def open_masks(path: Path, frames: FrameSource, max_objects: int, clean: bool) -> GivenMasks:
    """Open the masks of a video.

    Args:
        path: a file or a folder.
        frames: of the video.
        max_objects: as in `read_mask`.
        clean: as in `read_mask`.

    Raises:
        InputError: the path is missing or holds no mask, or a file cannot be used.
    """
    if not path.exists():
        raise InputError(f"mask {str(path)!r} is missing: give {MASK_FILES}")
    files = visible_entries(path) if path.is_dir() else [path]
    annotations = [file for file in files if is_annotation(file)]
    pictures = {file.stem: file for file in files if is_image(file)}
    # LabelMe and YOLO have their files next to the pictures that they annotate, which are then no masks.
    if annotations and (not pictures or all(file.stem in pictures for file in annotations)):
        return AnnotationMasks(annotations, frames)
    if pictures:
        return _open_pictures(path, pictures, frames, max_objects, clean)
    arrays = [file for file in files if is_array(file)]
    if arrays:
        return ArrayMasks(arrays, frames, max_objects, clean)
    videos = [file for file in files if is_video_file(file)]
    if len(videos) == 1:
        return VideoMasks(videos[0], frames, max_objects, clean)
    raise InputError(f"{str(path)!r} is no mask: give {MASK_FILES}")


def _open_pictures(
    path: Path, pictures: Mapping[str, Path], frames: FrameSource, max_objects: int, clean: bool
) -> PictureMasks:
    if not path.is_file() or len(pages := read_header(path, "mask").pages) == 1:
        return PictureMasks(str(path), pictures, max_objects, clean)
    page_of = {stem: pages[index] for stem, index in pages_by_frame(str(path), len(pages), frames).items()}
    return PictureMasks(str(path), dict.fromkeys(page_of, path), max_objects, clean, page_of)
