"""Scoring predictions that lie on disk."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from vosmem.data.folder_videos import FolderSequence
from vosmem.data.images import find_void_rule, read_labels
from vosmem.errors import InputError
from vosmem.metrics.davis import ObjectScore, SequenceScorer
from vosmem.ops.masks import ids_to_slots


def score_folders(
    truth: Path, predictions: Path, merge_objects: bool = False, num_workers: int = 0
) -> list[ObjectScore]:
    """Score a folder of predictions against a folder of ground truth, each with one sub-folder a sequence.

    Args:
        truth: masks of every frame.
        predictions: palette or grey PNGs with the same names, sizes and ids.
        merge_objects: every id of either side counts as object 1 (DAVIS-2016).
        num_workers: threads that share the sequences; 0 is none beside this one.

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
    names = sorted(path.name for path in truth.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise InputError(f"folder {str(truth)!r} holds no sequence folders: give the folder above them")
    folders = [truth / name for name in names], [predictions / name for name in names], repeat(merge_objects)
    if num_workers == 0:
        by_sequence = list(map(_score_sequence, *folders))
    else:
        with ThreadPoolExecutor(num_workers) as pool:  # decoding, numpy and OpenCV let go of Python's lock
            by_sequence = list(pool.map(_score_sequence, *folders))
    return [score for scores in by_sequence for score in scores]


def _score_sequence(truth: Path, predictions: Path, merge_objects: bool) -> list[ObjectScore]:
    if not predictions.is_dir():
        raise InputError(f"predictions of sequence {truth.name!r} not found: expected folder {str(predictions)!r}")
    sequence = FolderSequence(truth.name, frames=truth, masks=truth, truth=truth, merge_objects=merge_objects)
    slots = range(1, len(sequence.object_ids) + 1)
    scorer = SequenceScorer(sequence.name, slots)
    masks = (predictions / f"{name}.png" for name in sequence.frame_names)
    void = find_void_rule(path for path in masks if path.is_file())
    for t in range(1, len(sequence) - 1):
        path = predictions / f"{sequence.frame_names[t]}.png"
        if not path.is_file():
            raise InputError(f"prediction {str(path)!r} is missing: every frame between first and last needs one")
        ids = read_labels(path, void)
        predicted = (ids > 0).astype(ids.dtype) if merge_objects else ids_to_slots(ids, sequence.object_ids)
        labels = sequence.labels(t)
        assert labels is not None  # frames and masks are the same files here
        scorer.update(labels.numpy(), predicted)
    return [
        score._replace(object_id=object_id)
        for score, object_id in zip(scorer.result(), sequence.object_ids, strict=True)
    ]
