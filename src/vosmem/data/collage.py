"""Stills without end from a few photographs: smooth shapes cut from one, pasted on another."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vosmem.data.images import read_image
from vosmem.data.stills import Still
from vosmem.errors import InputError

OUTLINE_POINTS = 48


class Collages:
    """Pictures of 3 to 8 shapes filled with pieces of photographs, over a piece of another; every shape an object.

    A network taught on a handful of photographs learns them by heart. Here texture, colour, outline and neighbourhood
    are new in every picture, so likeness within the picture is all there is to learn from. The idea is that of
    dead-leaves images (Baradad et al., 2021, "Learning to See by Looking at Noise").

    Args:
        images: the photographs.
        count: how many collages there are; each is a function of (seed, index).
        size: side in pixels.
        seed: base seed.

    Raises:
        InputError: no photograph is given, one cannot be read, or `count` is below 1.
    """

    def __init__(self, images: Sequence[str], count: int, size: int, seed: int):
        if not images or count < 1:
            raise InputError("collages need at least one photograph and count of 1 or more")
        self._photographs = [read_image(Path(path)) for path in images]
        self.count, self.size, self.seed = count, size, seed

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Its number."""
        return f"collage/{index:05d}"

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Picture and mask are made together."""
        return (self.size, self.size), (self.size, self.size)

    def read(self, index: int) -> Still:
        """Make a collage; later shapes lie over earlier ones."""
        rng = np.random.default_rng((self.seed, index))
        image, labels = self._piece(rng), np.zeros((self.size, self.size), np.uint8)
        for label in range(1, int(rng.integers(3, 9)) + 1):
            shape = cv2.fillPoly(np.zeros_like(labels), [self._outline(rng)], 1) > 0
            image[shape] = self._piece(rng)[shape]
            labels[shape] = label
        return Still(cv2.GaussianBlur(image, (3, 3), 0.6), labels)  # a cut edge is sharper than any photograph's

    def _piece(self, rng: np.random.Generator) -> UInt8[np.ndarray, "S S 3"]:
        """A square piece of a photograph, turned and recoloured."""
        photograph = self._photographs[int(rng.integers(len(self._photographs)))]
        height, width = photograph.shape[:2]
        side = int(rng.uniform(0.3, 1.0) * min(height, width))
        top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
        piece = photograph[top : top + side, left : left + side]
        piece = cv2.resize(piece, (self.size, self.size), interpolation=cv2.INTER_AREA)
        piece = np.rot90(piece, int(rng.integers(4)))[..., rng.permutation(3)].astype(np.float32)
        recoloured = piece * rng.uniform(0.5, 1.3) + rng.uniform(-40, 40, 3)
        return np.ascontiguousarray(recoloured.clip(0, 255).astype(np.uint8))

    def _outline(self, rng: np.random.Generator) -> np.ndarray:
        """A closed curve of a few low frequencies, somewhere in the picture."""
        angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
        radius = np.ones(OUTLINE_POINTS)
        for frequency in range(1, 6):
            radius += rng.normal(0, 0.35 / frequency) * np.cos(frequency * angle + rng.uniform(0, 2 * np.pi))
        radius = radius.clip(0.25, 2) * np.exp(rng.uniform(np.log(0.056), np.log(0.245))) * self.size
        stretch, turn = rng.uniform(0.5, 1.6), rng.uniform(0, np.pi)
        x, y = radius * np.cos(angle) * stretch, radius * np.sin(angle) / stretch
        centre = rng.uniform(0.1, 0.9, 2) * self.size
        turned = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
        return (turned + centre).astype(np.int32)
