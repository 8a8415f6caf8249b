"""Segment a folder of frames with the graphs of `vosmem export`: needs ONNX Runtime, NumPy and Pillow only.

    vosmem export WEIGHTS GRAPHS
    python examples/onnx_segment.py GRAPHS FRAMES MASK OUTPUT

The mask is an image of object ids (0 is background) for the first frame. One image of ids is written per frame.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
NEAR = ("last_masks", "earlier_masks")  # inputs of a network with local attention: masks of the two previous frames


class Segmenter:
    """Segments one video frame by frame.

    Args:
        folder: the output of `vosmem export`.
        interval: the memory keeps every interval-th frame.
    """

    def __init__(self, folder: Path, interval: int = 5):
        self.about = json.loads((folder / "network.json").read_text())
        self.interval = interval
        self.sessions = {
            name: onnxruntime.InferenceSession(folder / graph["file"], providers=["CPUExecutionProvider"])
            for name, graph in self.about["graphs"].items()
        }
        self.t = -1
        self.kept: list[dict[str, np.ndarray]] = []  # keys and values of the kept frames
        self.last: dict[str, np.ndarray] = {}  # outputs for the previous frame
        self.near: dict[str, np.ndarray] = {}

    def step(self, frame: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Segment the next frame.

        Args:
            frame: RGB bytes (H, W, 3), of one size for the whole video.
            labels: objects 1..K of every pixel (H, W); for the first frame only.

        Returns:
            probabilities (K+1, H, W) of background and objects.
        """
        self.t += 1
        height, width = frame.shape[:2]
        top, bottom = _padding(height, self.about["stride"])
        left, right = _padding(width, self.about["stride"])
        around = ((0, 0), (0, 0), (top, bottom), (left, right))
        image = frame.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        image = np.pad(image, around)
        if any((top, bottom, left, right)):  # the border has the colour that the network expects
            inside = np.pad(np.ones((height, width), bool), around[2:])
            image = np.where(inside, image, np.array(self.about["frame"]["border"], np.float32)[:, None, None])
        if labels is not None:  # nothing is known yet of where the objects are
            self.near = dict.fromkeys(NEAR, np.zeros((1, int(labels.max()), *image.shape[2:]), np.float32))
        query = self._run("encode_query", {"frame": image, **self.near})
        if labels is None:
            memory = self._memory()
            readout = self._run("read_memory", {**memory, **query})
            own = self._run("decode", {**readout, **query})["probs"]
            bordered = self._aggregate(own)
            probs = bordered[:, top : top + height, left : left + width]
        else:
            probs = (np.arange(labels.max() + 1)[:, None, None] == labels).astype(np.float32)
            if self.about["memory"]["aggregate_given"]:
                probs = self._aggregate(probs[1:])
            bordered = None
        masks = np.pad(probs[None, 1:], around)
        if bordered is not None and self.about["memory"]["border_masks"]:
            masks = bordered[None, 1:]
        self.last = {"frame": image, "masks": masks, **query}
        self.near = {"last_masks": masks, "earlier_masks": self.near["last_masks"]}
        return probs

    def _memory(self) -> dict[str, np.ndarray]:
        """Memory frames: every interval-th frame, and the previous one if the network reads it."""
        keeps = (self.t - 1) % self.interval == 0
        frames = list(self.kept)
        if keeps or self.about["memory"]["include_last"]:
            frames.append(self._run("encode_memory", self.last))
        if keeps:
            self.kept = frames
        return {name: np.concatenate([frame[name] for frame in frames], axis=2) for name in frames[0]}

    def _aggregate(self, own: np.ndarray) -> np.ndarray:
        """Soft aggregation: combine the probabilities of all objects into one distribution with background."""
        epsilon = self.about["aggregation"]["epsilon"]
        merged = np.concatenate([np.prod(1 - own, axis=0, keepdims=True), own]).clip(epsilon, 1 - epsilon)
        odds = merged / (1 - merged)
        return odds / odds.sum(axis=0)

    def _run(self, name: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        session = self.sessions[name]
        found = session.run(None, {wanted.name: values[wanted.name] for wanted in session.get_inputs()})
        return dict(zip((output.name for output in session.get_outputs()), found, strict=True))


def main() -> None:
    """Segment the folder given on the command line."""
    parser = argparse.ArgumentParser(description="Follow objects through a folder of frames with exported graphs.")
    for name, text in [
        ("graphs", "folder of vosmem export"),
        ("frames", "folder of frames"),
        ("mask", "picture of ids for the first of them"),
        ("output", "folder that gets a picture of ids for every frame"),
    ]:
        parser.add_argument(name, type=Path, help=text)
    parser.add_argument("--interval", type=int, default=5, help="every how many frames one is kept (default: 5)")
    options = parser.parse_args()

    given = Image.open(options.mask)
    paths = sorted((path for path in options.frames.iterdir() if path.suffix.lower() in PICTURES), key=_natural)
    if not paths or Image.open(paths[0]).size != given.size:
        parser.error(f"{options.frames} has no frames of the mask's size, {given.size[0]}x{given.size[1]}")
    ids, labels = np.unique(np.asarray(given), return_inverse=True)
    if given.mode not in ("P", "L") or ids[0] != 0 or len(ids) < 2:
        parser.error(f"{options.mask} is no mask: give a grey or palette picture of ids, 0 for background")
    labels = labels.reshape(given.size[::-1])  # flat in NumPy 1
    palette = given.getpalette() if given.mode == "P" else None
    segmenter = Segmenter(options.graphs, options.interval)
    options.output.mkdir(parents=True, exist_ok=True)
    for t, path in enumerate(paths):
        probs = segmenter.step(np.asarray(Image.open(path).convert("RGB")), labels if t == 0 else None)
        picture = Image.fromarray(ids[probs.argmax(axis=0)])
        if palette is not None:
            picture.putpalette(palette + [0] * (768 - len(palette)))  # a short one would cut the ids off
        picture.save(options.output / f"{path.stem}.png")
        print(f"{path.name}: {t + 1}/{len(paths)}")


def _padding(size: int, stride: int) -> tuple[int, int]:
    """Padding before and after that makes a size a multiple of the stride."""
    lacking = -size % stride
    return lacking // 2, lacking - lacking // 2


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key for natural order: frame 2 comes before frame 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.stem)]


if __name__ == "__main__":
    main()
