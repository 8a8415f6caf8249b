"""Videos on disk: the reader of frames and masks, and where each public layout keeps them.

A new layout is one function here that lists its `VideoFolder`s, with a line in `LAYOUTS`. Training
(`train_videos.layout`) and evaluation (`eval_set.layout`) then read it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted

from vosmem.data.decoding.images import find_void_rule, list_pictures, read_labels
from vosmem.data.decoding.void import VoidRule
from vosmem.errors import InputError, warn

SHOWN = 5


@dataclass(frozen=True)
class VideoFolder:
    """A folder of frames with a folder of masks, and what an evaluation may see of the masks."""

    name: str  # in messages and tables
    frames: Path  # folder of images, read in natural order
    masks: Path  # folder of masks with the frames' stems; frames may lack a mask
    truth: Path | None  # folder of ground truth, often equal to `masks`; None if it is not public
    merge_objects: bool = False  # whether all ids become object 1 (DAVIS-2016)
    # Whether the mask of each object is given where the object first appears. Otherwise the first frame needs a mask,
    # and ids that it lacks are background.
    late_objects: bool = False
    exclude_last: bool = True  # whether the last frame is excluded from the score
    asked_frames: Collection[str] | None = None  # stems of the frames that need a prediction; None for all
    # Group of each id for the score (YouTube-VOS: `seen`, `unseen`)
    groups: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def frame_paths(self) -> list[Path]:
        """The frames in natural order."""
        return list_pictures(self.frames)

    @cached_property
    def mask_paths(self) -> dict[str, Path]:
        """The masks by the stem of their frame, in the order of the frames."""
        return self.paired(self.masks)

    def paired(self, masks: Path) -> dict[str, Path]:
        """The masks of a folder by the stem of their frame, in the order of the frames.

        Raises:
            InputError: a folder is missing or empty, or a mask has no frame.
        """
        paths = {path.stem: path for path in list_pictures(masks)}
        self.require_frames(paths, "mask")
        return {frame.stem: paths[frame.stem] for frame in self.frame_paths if frame.stem in paths}

    def require_frames(self, stems: Collection[str], what: str) -> None:
        """Raise InputError if a stem has no frame."""
        unpaired = sorted(set(stems) - {frame.stem for frame in self.frame_paths})
        if unpaired:
            raise InputError(
                f"video {self.name!r}: {what} {unpaired[0]!r} has no frame in {str(self.frames)!r} ({len(unpaired)} in "
                f"all): add the frame, or remove the {what}"
            )

    def read_ids(self, path: Path) -> UInt8[np.ndarray, "H W"]:
        """Read a mask as object ids; what 255 means is the same in all masks of the video."""
        ids = read_labels(path, self._void)
        return (ids > 0).astype(np.uint8) if self.merge_objects else ids

    @cached_property
    def _void(self) -> VoidRule:
        return find_void_rule(self.mask_paths.values())


def find_videos(
    layout: str, root: str, names: Sequence[str] | None = None, exclude: Collection[str] = (), **settings: Any
) -> list[VideoFolder]:
    """List the videos of a data set on disk.

    Args:
        layout: a key of `LAYOUTS`.
        names: videos to take instead of all. Without names, a warning lists videos that have frames but no masks.
        exclude: videos to leave out.

    Raises:
        InputError: the layout or a name is unknown, a folder or list is missing, or there is no video.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r} is unknown: use {', '.join(LAYOUTS)}")
    if not Path(root).is_dir():
        raise InputError(
            f"data set root {root!r} not found: set eval_set.root, train_videos.root or datamodule.root to the folder "
            "that holds JPEGImages"
        )
    videos = {video.name: video for video in LAYOUTS[layout](Path(root), **settings)}
    if not videos:
        raise InputError(f"{root!r} holds no video in the {layout} layout: correct the root or the layout")
    for name in (*(names or ()), *exclude):
        if name not in videos:
            chosen = ", ".join(f"{key}={value}" for key, value in settings.items())
            raise InputError(
                f"video {name!r} is not in {root!r} ({chosen}), which starts with {', '.join(list(videos)[:3])}: "
                "correct the name"
            )
    if not names:
        _warn_without_masks(next(iter(videos.values())))
    return [videos[name] for name in names or videos if name not in exclude]


def davis_layout(root: Path, year: int, image_set: str = "val", resolution: str = "480p") -> list[VideoFolder]:
    """DAVIS: all objects are given with the first frame, and the last frame is excluded from the score.

    Args:
        root: holds `JPEGImages/`, `Annotations/` and `ImageSets/`.
        year: 2016 merges the objects of a video; 2017 keeps them apart. Also the first folder of lists that is tried.
        image_set: name of the list: `train`, `val`, `test-dev` (which has first masks only), ...
        resolution: folder below `JPEGImages` and `Annotations`.
    """
    frames, masks = root / "JPEGImages" / resolution, root / "Annotations" / resolution
    return [
        VideoFolder(name, frames / name, masks / name, masks / name, merge_objects=year == 2016)
        for name in _read_list(root, year, image_set)
    ]


def folder_layout(root: Path, late_objects: bool = True, exclude_last: bool = True) -> list[VideoFolder]:
    """Any folder with `JPEGImages/<video>` and `Annotations/<video>`: MOSE, LVOS, Long-Video, your own videos."""
    frames, masks = root / "JPEGImages", root / "Annotations"
    for folder in (frames, masks):
        if not folder.is_dir():
            raise InputError(f"folder {str(folder)!r} not found: put frames in JPEGImages and masks in Annotations")
    names = natsorted(_subfolders(masks))
    if not names:
        raise InputError(f"folder {str(masks)!r} holds no video: make one folder of masks for each")
    return [
        VideoFolder(
            name, frames / name, masks / name, masks / name, late_objects=late_objects, exclude_last=exclude_last
        )
        for name in names
    ]


def youtubevos_layout(
    root: Path, split: str = "valid", all_frames: bool = False, truth: str | None = None, seen: str | None = None
) -> list[VideoFolder]:
    """YouTube-VOS: objects appear late, and predictions are needed for the frames that `meta.json` lists.

    Args:
        root: holds the splits.
        split: folder of the split, with `JPEGImages`, `Annotations` and `meta.json`.
        all_frames: whether to take the frames of `<split>_all_frames`, at 30 instead of 6 a second. Scores of the two
            rates are not comparable: report which one was used.
        truth: folder of ground truth, one sub-folder a video, if you have it: the server keeps it.
        seen: `meta.json` of the training split. Its categories are `seen`, others `unseen`. By default the file in
            `root/train`, if it exists.

    Source:
        Xu et al., YouTube-VOS (2018), and its meta.json.
    """
    frames = root / (f"{split}_all_frames" if all_frames else split) / "JPEGImages"
    meta, categories = _read_meta(root / split / "meta.json"), _seen_categories(root, seen)
    videos = []
    for video in folder_layout(root / split, exclude_last=False):
        if video.name not in meta:
            raise InputError(f"video {video.name!r} is not in meta.json: take the file that came with these frames")
        objects = meta[video.name]["objects"]
        groups = {
            int(key): "seen" if entry.get("category") in categories else "unseen"
            for key, entry in objects.items()
            if categories is not None
        }
        videos.append(
            replace(
                video,
                frames=frames / video.name,
                truth=None if truth is None else Path(truth) / video.name,
                asked_frames={frame for entry in objects.values() for frame in entry["frames"]},
                groups=groups,
            )
        )
    return videos


LAYOUTS: dict[str, Callable[..., list[VideoFolder]]] = {
    "davis": davis_layout,
    "folder": folder_layout,
    "youtubevos": youtubevos_layout,
}


def _subfolders(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _warn_without_masks(video: VideoFolder) -> None:
    """Warn of videos next to this one that have frames and no masks."""
    frames, masks = video.frames.parent, video.masks.parent
    if not frames.is_dir() or not masks.is_dir():
        return
    names = _subfolders(frames)
    missing = natsorted(names - _subfolders(masks))
    if missing:
        listed = f"{', '.join(missing[:SHOWN])}{', ...' if len(missing) > SHOWN else ''}"
        warn(
            f"{len(missing)} of {len(names)} videos of {str(frames)!r} have no folder of masks in {str(masks)!r} and "
            f"are left out: {listed}"
        )


def _read_list(root: Path, year: int, image_set: str) -> list[str]:
    """Names of the sequences; a list of 2016 may hold pairs of paths instead."""
    candidates = [root / "ImageSets" / folder / f"{image_set}.txt" for folder in (str(year), "480p", "2016", "2017")]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise InputError(f"no list {image_set}.txt below {str(root / 'ImageSets')!r}: expected {candidates[0]}")
    entries = [line.split()[0] for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    if not entries:
        raise InputError(f"list {str(path)!r} is empty: write one sequence name a line")
    return list(dict.fromkeys(Path(entry).parent.name if "/" in entry else entry for entry in entries))


def _seen_categories(root: Path, seen: str | None) -> set[str] | None:
    path = root / "train" / "meta.json" if seen is None else Path(seen)
    if seen is None and not path.is_file():
        return None
    objects = [entry for video in _read_meta(path).values() for entry in video["objects"].values()]
    return {entry["category"] for entry in objects if "category" in entry}


def _read_meta(path: Path) -> Mapping[str, Any]:
    """Objects by video and id, each with its category and frames."""
    try:
        videos: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["videos"]
        for name, video in videos.items():
            for key, entry in video["objects"].items():
                if not (int(key) > 0 and isinstance(entry["frames"], list)):
                    raise ValueError(f"object {key!r} of video {name!r}")
    except FileNotFoundError as error:
        raise InputError(f"{str(path)!r} not found: copy it from YouTube-VOS, next to JPEGImages") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{str(path)!r} is not YouTube-VOS's meta.json ({error}): download it again") from error
    return videos
