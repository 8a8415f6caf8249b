"""A small tree in YouTube-VOS layout: late objects, ids with gaps, both frame rates, ground truth of its own."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (32, 48)
# By video: for each object id its category, the frame (of 30 a second) at which it comes and its column.
VIDEOS = {
    "0a": {7: ("penguin", 0, 2), 3: ("sloth", 10, 26)},
    "0b": {2: ("penguin", 5, 10)},
}
LAST = 20  # frame of both rates


def labels_at(video: str, t: int) -> np.ndarray:
    """The true ids of a frame: squares that creep to the right, from the frame on at which they come."""
    labels = np.zeros(SIZE, np.uint8)
    for object_id, (_, first, column) in VIDEOS[video].items():
        if t >= first:
            left = column + (t - first) // 4
            labels[8:24, left : left + 14] = object_id
    return labels


def write_youtubevos(root: Path) -> Path:
    """Write it; `root/truth` is what the real set keeps on its server."""
    meta = {}
    for video, objects in VIDEOS.items():
        for t in range(LAST + 1):
            picture = Image.fromarray(np.full((*SIZE, 3), 60, np.uint8) + 50 * labels_at(video, t)[..., None] % 190)
            for split, is_there in (("valid_all_frames", True), ("valid", t % 5 == 0)):
                if is_there:
                    _save(picture, root / split / "JPEGImages" / video / f"{t:05d}.jpg")
            if t % 5 == 0:
                _save(Image.fromarray(labels_at(video, t)), root / "truth" / video / f"{t:05d}.png")
        for t in {first for _, first, _ in objects.values()}:
            new = [object_id for object_id, (_, first, _) in objects.items() if first == t]
            labels = labels_at(video, t)
            # The others are not labelled in a late mask.
            mask = Image.fromarray(np.where(np.isin(labels, new), labels, 0).astype(np.uint8))
            _save(mask, root / "valid" / "Annotations" / video / f"{t:05d}.png")
        meta[video] = {
            "objects": {
                str(object_id): {"category": category, "frames": [f"{t:05d}" for t in range(first, LAST, 5)]}
                for object_id, (category, first, _) in objects.items()
            }
        }
    (root / "valid" / "meta.json").write_text(json.dumps({"videos": meta}))
    (root / "train").mkdir()
    seen = {"videos": {"ff": {"objects": {"1": {"category": "penguin", "frames": ["00000"]}}}}}
    (root / "train" / "meta.json").write_text(json.dumps(seen))
    return root


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
