"""The answers of davis2017-evaluation to reproducible predictions, recorded in `tests/golden`.

The numbers in `official_scores.json` are the package's own (commit ac7c43f), in an environment with it:

    pip install --no-deps git+https://github.com/davisvideochallenge/davis2017-evaluation.git
    python -m tests.evaluation.official_scores [DAVIS_ROOT]

`synthetic` needs no data. `davis` is of the DAVIS-2016 sequences below DAVIS_ROOT, with `Annotations/480p` and
`ImageSets/2017/val.txt`, and stays as it is where no root is given.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.golden_video import video
from vosmem.data.decoding.images import read_labels

RECORD = Path(__file__).parents[1] / "golden" / "official_scores.json"
# Frames, height, width, objects and seed; the last two have the size and the tolerance of DAVIS at 480p.
VIDEOS = {"two": (14, 96, 128, 2, 1), "tall": (8, 131, 75, 1, 2), "480p": (5, 480, 854, 3, 3)}


def truth(name: str) -> np.ndarray:
    """Labels (T, H, W) of a synthetic video; its last object is absent in every third frame after the first."""
    labels = video(*VIDEOS[name])[1]
    labels[3::3][labels[3::3] == labels.max()] = 0
    return labels


def predictions(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions (T, H, W) of every kind on which scorers could differ."""
    square = np.ones((3, 3), np.uint8)
    made = {"copied": np.repeat(labels[:1], len(labels), axis=0)}
    made["shifted"] = np.stack([np.roll(now, (t % 23, -(t % 17)), (0, 1)) for t, now in enumerate(labels)])
    made["eroded"] = np.stack([_eroded(now, 1 + t % 6) for t, now in enumerate(labels)])
    made["dropped"] = np.stack(
        [cv2.dilate(now, square, iterations=t % 9) * (t % 5 != 2) for t, now in enumerate(labels)]
    )
    return {name: masks.astype(np.uint8) for name, masks in made.items()}


def _eroded(labels: np.ndarray, iterations: int) -> np.ndarray:
    square, kept = np.ones((3, 3), np.uint8), np.zeros_like(labels)
    for i in np.unique(labels)[1:]:
        kept[cv2.erode((labels == i).astype(np.uint8), square, iterations=iterations) > 0] = i
    return kept


def synthetic_cases() -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name of the video, kind of the prediction, and the labels of both without first and last frame."""
    for name in VIDEOS:
        labels = truth(name)
        kinds = predictions(labels)
        # A mask that fills the frame has no boundary.
        kinds["filled"] = np.where(np.arange(len(labels))[:, None, None] % 2, 1, labels).astype(np.uint8)
        for kind, predicted in kinds.items():
            yield name, kind, labels[1:-1], predicted[1:-1]


def read_sequence(folder: Path) -> np.ndarray:
    """The labels (T, H, W) of a folder of masks, objects as one."""
    return np.stack([(read_labels(path) > 0).astype(np.uint8) for path in sorted(folder.glob("*.png"))])


def _record_synthetic() -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    """J and F, (K, T) each, as the package's semi-supervised evaluation computes them."""
    from davis2017.evaluation import DAVISEvaluation

    found: dict[str, dict[str, dict[str, list[list[float]]]]] = {}
    for name, kind, true, predicted in synthetic_cases():
        slots = np.arange(1, truth(name).max() + 1)[:, None, None, None]
        j, f = DAVISEvaluation._evaluate_semisupervised(true == slots, predicted == slots, None, ("J", "F"))
        found.setdefault(name, {})[kind] = {"J": j.tolist(), "F": f.tolist()}
    return found


def _record_davis(root: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Mean, recall and decay of J and F by the package's whole evaluation, from files on disk, by kind and sequence."""
    from davis2017.evaluation import DAVISEvaluation

    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    names = (root / "ImageSets" / "2017" / "val.txt").read_text().split()
    with tempfile.TemporaryDirectory() as folder:
        one, images = Path(folder) / "DAVIS", "JPEGImages/480p"
        for name in names:  # a sequence at a time, since the package holds all of a sequence as doubles
            labels = read_sequence(root / "Annotations" / "480p" / name)
            _write(one / "Annotations/480p" / name, labels)
            (one / images).mkdir(parents=True, exist_ok=True)
            (one / images / name).symlink_to((root / images / name).resolve())
            (one / "ImageSets/2017").mkdir(parents=True, exist_ok=True)
            (one / "ImageSets/2017/val.txt").write_text(name)
            for kind, predicted in predictions(labels).items():
                _write(Path(folder) / kind / name, predicted)
                by = DAVISEvaluation(str(one), "semi-supervised", "val").evaluate(str(Path(folder) / kind))
                numbers = {measure: [float(by[measure][key][0]) for key in "MRD"] for measure in "JF"}
                found.setdefault(kind, {})[name] = numbers
                print(name, kind, numbers, flush=True)
    return found


def _write(folder: Path, labels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for t, now in enumerate(labels):
        Image.fromarray(now).save(folder / f"{t:05}.png")


def record(davis_root: Path | None) -> None:
    """Write the record again."""
    known = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    known["made_by"] = "python -m tests.evaluation.official_scores DAVIS_ROOT"
    known["package"] = "davis2017-evaluation 0.1.0, commit ac7c43fca936f9722837b7fbd337d284ba37004b"
    known["synthetic"] = _record_synthetic()
    if davis_root is not None:
        known["davis"] = _record_davis(davis_root)
    RECORD.write_text(json.dumps(known, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
