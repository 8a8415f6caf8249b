"""Store the finished sequences of an evaluation on disk, so that a killed evaluation can continue."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vosmem.errors import InputError
from vosmem.evaluation.run import SequenceRun
from vosmem.files import write_text
from vosmem.metrics.davis import ObjectScore
from vosmem.metrics.registry import METRICS


class FinishedSequences:
    """One file for each sequence, written whole or not at all.

    Args:
        folder: of the files; created if missing.
        about: what the results depend on; stored in the folder.

    Raises:
        InputError: the folder holds sequences of an evaluation with other settings.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        self.folder = folder
        described = json.dumps(about, sort_keys=True, indent=2) + "\n"
        note = folder / "about.json"
        if note.is_file() and note.read_text(encoding="utf-8") != described:
            raise InputError(
                f"{str(folder.parent)!r} holds an evaluation made with another checkpoint, data set or method: name "
                f"another folder, or move that one away"
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_text(note, described)

    def load(self, name: str) -> SequenceRun | None:
        """The run of a sequence, or None if it is not finished."""
        path = self._path(name)
        return _read(path) if path.is_file() else None

    def save(self, name: str, run: SequenceRun) -> None:
        """Store the run of a finished sequence."""
        scores = [
            {"sequence": score.sequence, "object_id": score.object_id}
            | {name.lower(): values.tolist() for name, values in score.values.items()}
            for score in run.scores
        ]
        write_text(self._path(name), json.dumps({**asdict(run), "scores": scores}) + "\n")

    def _path(self, name: str) -> Path:
        # Names may hold any character; the digest distinguishes names that differ only in replaced characters.
        plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
        return self.folder / f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"


def finished_scores(run_dir: Path) -> list[ObjectScore]:
    """Read the scores of every object and frame from the folder of an evaluation.

    Raises:
        InputError: no sequence is finished, or a file is damaged.
    """
    notes = sorted(path for path in (run_dir / "sequences").glob("*.json") if path.name != "about.json")
    scores = [score for path in notes for score in _read(path).scores if score.num_frames]
    if not scores:
        raise InputError(f"{str(run_dir)!r} holds no scored sequence: give the folder of a run of vosmem evaluate")
    return scores


def _read(path: Path) -> SequenceRun:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        scores = [
            ObjectScore(
                score["sequence"], score["object_id"], {name: np.array(score[name.lower()]) for name in METRICS}
            )
            for score in content.pop("scores")
        ]
        return SequenceRun(scores, **content)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is damaged: delete it, and the sequence is evaluated again") from error
