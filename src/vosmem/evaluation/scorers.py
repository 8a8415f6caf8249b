"""Scoring predictions that lie on disk."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

from vosmem.data.decoding.images import find_void_rule, is_image, read_labels
from vosmem.data.sources.evaluation_sets import FolderSequence
from vosmem.data.sources.video_layouts import VideoFolder
from vosmem.errors import InputError, warn
from vosmem.metrics.davis import ObjectScore, SequenceScorer
from vosmem.ops.masks import ids_to_slots

MASKS = "masks"  # as `vosmem segment` and `vosmem evaluate` call the folder of masks


def score_folders(
    truth: Path, predictions: Path, merge_objects: bool = False, num_workers: int = 0, late_objects: bool = False
) -> list[ObjectScore]:
    """Score a folder of predictions against a folder of ground truth, each with one sub-folder a sequence.

    Args:
        truth: masks of every frame; the folder of one sequence is taken, too.
        predictions: palette or grey PNGs with the same names, sizes and ids, or what `vosmem segment` or `vosmem
            evaluate` wrote.
        merge_objects: every id of either side counts as object 1 (DAVIS-2016).
        num_workers: threads that share the sequences; 0 uses only the calling thread.
        late_objects: whether objects that the first mask does not hold count, from the frame after their first mask;
            otherwise a warning names them.

    Returns:
        J and F per object and frame; first and last frame are left out.

    Raises:
        InputError: a folder is missing or empty, or a prediction is missing or of another size.
    """
    for folder in (truth, predictions):
        if not folder.is_dir():
            raise InputError(
                f"folder {str(folder)!r} not found: give the folder that holds a sub-folder for each sequence"
            )
    folders = sorted(path for path in truth.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders and not any(is_image(path) for path in truth.iterdir()):
        raise InputError(f"folder {str(truth)!r} holds no masks and no sequence folders: give one that does")
    folders = folders or [truth.absolute()]
    score = partial(_score_sequence, merge_objects=merge_objects, late_objects=late_objects)
    roots = repeat(predictions), repeat(len(folders) == 1)
    if num_workers == 0:
        by_sequence = list(map(score, folders, *roots))
    else:
        with ThreadPoolExecutor(num_workers) as pool:  # decoding, numpy and OpenCV let go of Python's lock
            by_sequence = list(pool.map(score, folders, *roots))
    return [score for scores in by_sequence for score in scores]


def find_masks(predictions: Path, sequence: str, frames: Collection[str], single: bool) -> Path:
    """Find the folder of a sequence's predicted masks.

    Args:
        predictions: holds `SEQUENCE/`, or what `vosmem segment` (`SEQUENCE/masks/`, of one video `masks/`) or `vosmem
            evaluate` (`masks/SEQUENCE/`) wrote.
        sequence: name of the sequence.
        frames: stems of its frames. The first folder that holds a mask of one of them is taken.
        single: whether there is only one sequence, so that the masks may be in a folder without its name.

    Raises:
        InputError: there is no such folder.
    """
    indices = [predictions / sequence, predictions / sequence / MASKS, predictions / MASKS / sequence]
    lone = [predictions, predictions / MASKS]
    for folder in [*indices, *(lone if single else [])]:
        if any((folder / f"{frame}.png").is_file() for frame in frames):
            return folder
    if indices[0].is_dir():
        return indices[0]
    if single or not any((folder / f"{frame}.png").is_file() for folder in lone for frame in frames):
        raise InputError(f"predictions of sequence {sequence!r} not found: expected folder {str(indices[0])!r}")
    raise InputError(
        f"{str(predictions)!r} holds the masks of one video: give the folder of its ground truth, not the one above"
    )


def _score_sequence(
    truth: Path, predictions: Path, single: bool, merge_objects: bool, late_objects: bool
) -> list[ObjectScore]:
    sequence = FolderSequence(
        VideoFolder(truth.name, truth, truth, truth, merge_objects=merge_objects, late_objects=True)
    )
    predictions = find_masks(predictions, sequence.name, sequence.frame_names, single)
    given_at = dict(enumerate(sequence.given_at, start=1))
    if not late_objects:
        given_at = _of_the_first_mask(sequence, given_at)
    scorer = SequenceScorer(sequence.name, list(given_at))
    masks = (predictions / f"{name}.png" for name in sequence.frame_names)
    void = find_void_rule(path for path in masks if path.is_file())
    for t in range(1, len(sequence) - 1):
        counted = [slot for slot, at in given_at.items() if at < t]
        if not counted:
            continue
        path = predictions / f"{sequence.frame_names[t]}.png"
        if not path.is_file():
            raise InputError(f"prediction {str(path)!r} is missing: every frame between first and last needs one")
        ids = read_labels(path, void)
        predicted = (ids > 0).astype(ids.dtype) if merge_objects else ids_to_slots(ids, sequence.object_ids)
        labels = sequence.labels(t)
        assert labels is not None  # frames and masks are the same files here
        scorer.update(labels.numpy(), predicted, counted)
    return [score._replace(object_id=sequence.object_ids[score.object_id - 1]) for score in scorer.result()]


def _of_the_first_mask(sequence: FolderSequence, given_at: Mapping[int, int]) -> dict[int, int]:
    """The objects that DAVIS scores: those of the first mask. A warning names the others."""
    first = {slot: at for slot, at in given_at.items() if at == 0}
    late = [str(sequence.object_ids[slot - 1]) for slot in given_at if slot not in first]
    if not first:
        raise InputError(
            f"sequence {sequence.name!r}: the mask of the first frame {sequence.frame_names[0]} holds no object: use "
            f"--late-objects to score objects from the frame after their first mask"
        )
    if late:
        warn(
            f"sequence {sequence.name!r}: object{'s' * (len(late) > 1)} {', '.join(late)} not in the first mask, and "
            f"not scored, as in DAVIS: --late-objects scores an object from the frame after its first mask"
        )
    return first
