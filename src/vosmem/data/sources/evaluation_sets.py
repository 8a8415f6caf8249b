"""Public video sets as they are evaluated: which masks are given, which frames are asked for, what is submitted."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from vosmem.data.sources.folder_sequences import FolderSequence
from vosmem.data.sources.video_folders import VideoFolders, davis_folders, plain_folders
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError


class EvaluationSet(Sequence[VideoSequence]):
    """The sequences of a set, and what its server takes.

    Args:
        sequences: the videos.
        submission: folder inside the zip that the set's server takes, '' for its top level; None where there is no
            server.
    """

    def __init__(self, sequences: Sequence[VideoSequence], submission: str | None = None):
        self._sequences, self.submission = sequences, submission

    def __len__(self) -> int:
        return len(self._sequences)

    @overload
    def __getitem__(self, index: int) -> VideoSequence: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[VideoSequence]: ...

    def __getitem__(self, index: int | slice) -> VideoSequence | Sequence[VideoSequence]:
        """One video, or several."""
        return self._sequences[index]


def davis_sequences(
    root: str, year: int, image_set: str = "val", resolution: str = "480p", sequences: Sequence[str] | None = None
) -> EvaluationSet:
    """DAVIS: every object is given with the first frame, the last frame does not count.

    Args:
        root: holds `JPEGImages/`, `Annotations/` and `ImageSets/`.
        year: 2016 merges all objects of a sequence into one; 2017 keeps them apart.
        image_set: name of the list: `val`, `test-dev` (of which the first masks alone are public), ...
        resolution: folder below `JPEGImages` and `Annotations`.
        sequences: names to take instead of the whole list.

    Raises:
        InputError: root, list or a sequence's folder is missing, or a name is not in the list.
    """
    folders = davis_folders(root, year, image_set, resolution, sequences)
    return EvaluationSet([FolderSequence(*folder, folder.masks, merge_objects=year == 2016) for folder in folders], "")


def folder_sequences(
    root: str,
    sequences: Sequence[str] | None = None,
    late_objects: bool = True,
    exclude_last: bool = True,
    submission: str | None = None,
) -> EvaluationSet:
    """Any folder with `JPEGImages/<video>` and `Annotations/<video>`: anybody's own, MOSE, LVOS, Long-Video.

    Args:
        root: the folder.
        sequences: names to take instead of all that have masks.
        late_objects: each object's mask is given where it first appears; otherwise with the first frame or not at all.
        exclude_last: whether the last frame is left out of the score.
        submission: as of `EvaluationSet`.

    Raises:
        InputError: a folder is missing or a name is none of the videos.
    """
    videos = [
        FolderSequence(*folder, folder.masks, late_objects=late_objects, exclude_last=exclude_last)
        for folder in plain_folders(root, sequences)
    ]
    return EvaluationSet(videos, submission)


def youtubevos_sequences(
    root: str,
    split: str = "valid",
    all_frames: bool = False,
    truth: str | None = None,
    seen: str | None = None,
    sequences: Sequence[str] | None = None,
) -> EvaluationSet:
    """YouTube-VOS: objects come late, and masks are asked for where `meta.json` lists a frame.

    Args:
        root: holds the splits.
        split: folder of the split, with `JPEGImages`, `Annotations` and `meta.json`.
        all_frames: take the frames of `<split>_all_frames`, at 30 instead of 6 a second. Scores of the two are not
            to be compared, so say which.
        truth: folder of ground truth, one sub-folder a video, where you have it: the set's is kept by its server.
        seen: `meta.json` of the training split; categories in it are `seen`, others `unseen`. By default that in
            `root`, if it is there.
        sequences: names to take instead of all.

    Raises:
        InputError: a folder or file is missing, damaged, or names a frame that is not there.

    Source:
        Xu et al., YouTube-VOS (2018), and its meta.json.
    """
    base = Path(root) / split
    videos = _read_meta(base / "meta.json")
    frames = Path(root) / f"{split}_all_frames" / "JPEGImages" if all_frames else base / "JPEGImages"
    known = _seen_categories(Path(root), seen)
    folders = plain_folders(str(base), sequences)
    return EvaluationSet([_youtubevos_video(folder, frames, videos, truth, known) for folder in folders], "Annotations")


def _youtubevos_video(
    folder: VideoFolders, frames: Path, videos: Mapping[str, Any], truth: str | None, seen: Collection[str] | None
) -> FolderSequence:
    if folder.name not in videos:
        raise InputError(f"video {folder.name!r} is not in meta.json: take the one that came with these frames")
    objects: Mapping[str, Any] = videos[folder.name]["objects"]
    groups = {
        int(object_id): "seen" if about.get("category") in seen else "unseen"
        for object_id, about in objects.items()
        if seen is not None
    }
    return FolderSequence(
        folder.name,
        frames / folder.name,
        folder.masks,
        None if truth is None else Path(truth) / folder.name,
        late_objects=True,
        exclude_last=False,
        asked_frames={frame for about in objects.values() for frame in about["frames"]},
        groups=groups,
    )


def _seen_categories(root: Path, seen: str | None) -> set[str] | None:
    path = root / "train" / "meta.json" if seen is None else Path(seen)
    if seen is None and not path.is_file():
        return None
    objects = [about for video in _read_meta(path).values() for about in video["objects"].values()]
    return {about["category"] for about in objects if "category" in about}


def _read_meta(path: Path) -> Mapping[str, Any]:
    """Objects by video and id, each with its category and frames."""
    try:
        videos = json.loads(path.read_text(encoding="utf-8"))["videos"]
        for name, video in videos.items():
            for object_id, about in video["objects"].items():
                if not (int(object_id) > 0 and isinstance(about["frames"], list)):
                    raise ValueError(f"object {object_id!r} of video {name!r}")
    except FileNotFoundError as error:
        raise InputError(f"{str(path)!r} not found: it comes with YouTube-VOS, beside JPEGImages") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{str(path)!r} is not YouTube-VOS's meta.json ({error}): fetch it again") from error
    meta: Mapping[str, Any] = videos
    return meta
