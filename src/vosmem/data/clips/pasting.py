"""Pasted objects that move independently through a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vosmem.data.clips.cutouts import CutOut, centred, choose_donor, cut_out, paste, recoloured, turned
from vosmem.data.sources.image_sets import ImageSource, LabelledImage

DONOR_TRIES = 8
MOST_ENLARGED = 1.5  # scale of a copy; a larger one would no longer look alike


@dataclass(frozen=True)
class Pasting:
    """Pastes cut-out objects over a clip, each with its own motion.

    The affine maps of a clip move an image as a whole, so an object never moves against its background. Pasted objects
    do: some are followed, others occlude, and copies of followed objects (look-alikes) are background.

    Args:
        count: least and greatest number of pasted objects.
        size: least and greatest longer side of an object, as a share of the image's short side.
        follow: probability that a pasted object is followed, unless the clip has `max_objects` already.
        look_alike: probability that a copy of one of the clip's own objects is pasted instead, as background.
        shift: greatest displacement between two frames along each axis, as a share of the image's short side.
        turn: greatest rotation between two frames in either direction, in degrees.
        grow: least and greatest change of scale between two frames.
        away: least distance from an object to its copy, in longer sides of the object; the copy is left out if the
            image is too small for it.
        late: probability that a copy appears only after the first frame, so that the memory does not know it as
            background.
    """

    count: Sequence[int]
    size: Sequence[float]
    follow: float
    look_alike: float
    shift: float
    turn: float
    grow: Sequence[float]
    away: float = 0.0
    late: float = 0.0

    def __call__(
        self, clip: Sequence[LabelledImage], donors: ImageSource | None, max_objects: int, rng: np.random.Generator
    ) -> list[LabelledImage]:
        """Paste objects over copies of the frames of a clip.

        Args:
            clip: image and objects 1..K of each frame.
            donors: images to cut objects out of; None pastes only copies.
            max_objects: largest number of objects to follow; pasted ones get the ids after K.
        """
        first = clip[0]
        scenes = [LabelledImage(frame.image.copy(), frame.labels.copy()) for frame in clip]
        followed = max(int(frame.labels.max()) for frame in clip)
        for _ in range(int(rng.integers(self.count[0], self.count[1] + 1))):
            side = rng.uniform(self.size[0], self.size[1]) * min(first.labels.shape)
            if first.labels.any() and rng.random() < self.look_alike:
                self._paste_copy(scenes, first, side, rng)
            elif donors is not None:
                item, donated = choose_donor(donors, rng, DONOR_TRIES)
                cutout, label = cut_out(donors.read(item), donated, side * self.grow[1]), 0
                if followed < max_objects and rng.random() < self.follow:
                    label = followed = followed + 1
                self._move(scenes, cutout, label, self._start(first, rng), rng)
        return scenes

    def _paste_copy(
        self, scenes: list[LabelledImage], labelled: LabelledImage, side: float, rng: np.random.Generator
    ) -> None:
        label = int(rng.choice(np.unique(labelled.labels[labelled.labels > 0])))
        rows, columns = np.nonzero(labelled.labels == label)
        own = max(np.ptp(rows), np.ptp(columns)) + 1
        cutout = recoloured(cut_out(labelled, label, min(side, MOST_ENLARGED * own) * self.grow[1]), rng)
        start = self._start(labelled, rng)
        for _ in range(DONOR_TRIES):
            if np.hypot(start[0] - columns.mean(), start[1] - rows.mean()) >= self.away * own:
                shown = scenes[1:] if self.late and rng.random() < self.late else scenes
                self._move(shown, cutout, 0, start, rng)
                break
            start = self._start(labelled, rng)

    def _start(self, labelled: LabelledImage, rng: np.random.Generator) -> tuple[float, float]:
        height, width = labelled.labels.shape
        x, y = rng.uniform(0.15, 0.85, 2) * (width, height)
        return float(x), float(y)

    def _move(
        self,
        scenes: list[LabelledImage],
        cutout: CutOut,
        label: int,
        start: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        """Paste along a random path; a step that would leave the image is reversed."""
        height, width = scenes[0].labels.shape
        x, y = start
        degrees, scale, mirror = rng.uniform(-15, 15), 1 / self.grow[1], bool(rng.integers(2))
        for scene in scenes:
            pose = turned(float(degrees), float(scale), float(x), float(y), mirror)
            paste(scene.image, scene.labels, cutout, pose @ centred(cutout.alpha), label)
            step_x, step_y = rng.uniform(-self.shift, self.shift, 2) * min(height, width)
            x += step_x if 0 <= x + step_x <= width else -step_x
            y += step_y if 0 <= y + step_y <= height else -step_y
            degrees += rng.uniform(-self.turn, self.turn)
            scale *= rng.uniform(self.grow[0], self.grow[1])
