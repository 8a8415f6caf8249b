"""Where a training clip looks: a part of each frame around the objects that the clip follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vosmem.data.sources.image_sets import LabelledImage
from vosmem.errors import InputError

IMAGENET_MEAN_BYTES = (124, 116, 104)
CONTEXT = 1.4  # side of the cut picture in crops: room for the affine maps that follow
LEAST_SHARE = 0.75  # scale below which averaging areas looks better than interpolating


@dataclass(frozen=True)
class ObjectFraming:
    """Cuts a square around the objects of a clip, at the scale at which a network sees them at inference.

    A randomly placed crop often loses the object, or jumps by several memory cells from frame to frame. Here the crop
    holds the objects of frame 0 and follows them, as the windows of inference do.

    Args:
        size: side of the crop in pixels.
        short_side: short side, in pixels, that frames have at inference; it sets the scale of the crop.
        zoom: least and greatest factor of that scale, drawn evenly on a logarithmic axis.
        fill: least and greatest share of the crop's side that the objects' box may take; a larger box is shrunk.
        whole: probability that the crop's side is the short side of the frame, wherever the objects are in it.

    Raises:
        InputError: a range is empty or not positive, or `whole` is no probability.
    """

    size: int
    short_side: int = 480
    zoom: Sequence[float] = (0.7, 1.6)
    fill: Sequence[float] = (0.5, 1.0)
    whole: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.zoom[0] <= self.zoom[1] or not 0 < self.fill[0] <= self.fill[1] or not 0 <= self.whole <= 1:
            raise InputError(
                f"framing with zoom={list(self.zoom)}, fill={list(self.fill)}, whole={self.whole}: use positive ranges "
                f"in ascending order, and a probability from 0 to 1"
            )

    def __call__(self, moments: Sequence[LabelledImage], rng: np.random.Generator) -> list[LabelledImage]:
        """Squares of `CONTEXT` times the crop's side, whose centres are the crops.

        Args:
            moments: frames of one size with objects 1..K. A frame that occurs twice is cut once.
            rng: where the draws come from.

        Returns:
            one square a frame; what lies outside the frame has the mean colour and is background.
        """
        height, width = moments[0].labels.shape
        boxes = [_box(moment.labels) for moment in moments]
        scale, centre = self._start(boxes[0], height, width, rng)
        follow = float(rng.uniform())  # 0 keeps the crop where it is, 1 moves it with the objects
        cut: dict[int, LabelledImage] = {}
        for moment, box in zip(moments, boxes, strict=True):
            if id(moment.image) not in cut:
                at = centre
                if box is not None and boxes[0] is not None:
                    at = centre + follow * (_middle(box) - _middle(boxes[0]))
                cut[id(moment.image)] = _cut(moment, at, scale, round(CONTEXT * self.size))
        return [cut[id(moment.image)] for moment in moments]

    def _start(
        self, box: np.ndarray | None, height: int, width: int, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Pixels of the crop to one of the frame, and the crop's centre (x, y) in the first frame."""
        fits = self.size / min(height, width)
        zoom = rng.uniform(np.log(self.zoom[0]), np.log(self.zoom[1]))
        fill, shift = rng.uniform(self.fill[0], self.fill[1]), rng.uniform(-1, 1, 2)
        if box is None or rng.random() < self.whole:
            scale, box = fits, np.array([0, 0, width, height], float) if box is None else box
        else:
            longer = max(box[2] - box[0], box[3] - box[1])
            scale = min(self.short_side / min(height, width) * np.exp(zoom), fill * self.size / longer)
            # No smaller than the frame needs to fill the crop, but for objects that would then stick out.
            scale = max(scale, min(fits, self.size / longer))
        window = self.size / scale
        room = np.maximum(0, window - (box[2:] - box[:2])) / 2
        centre = _middle(box) + 0.8 * shift * room
        # Inside the frame where that can be.
        low, high = np.full(2, window / 2), np.array([width, height]) - window / 2
        return float(scale), np.where(low <= high, np.clip(centre, low, np.maximum(low, high)), centre)


def _box(labels: np.ndarray) -> np.ndarray | None:
    """Left, top, right and bottom edge of what is not background."""
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def _middle(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def _cut(labelled: LabelledImage, centre: np.ndarray, scale: float, side: int) -> LabelledImage:
    """A square of `side` pixels around a point of the frame; `scale` pixels of it to one of the frame."""
    height, width = labelled.labels.shape
    corner = centre - side / scale / 2
    first = np.clip(np.floor(corner), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(corner + side / scale), 0, (width, height)).astype(int)
    image = np.full((side, side, 3), IMAGENET_MEAN_BYTES, np.uint8)
    labels = np.zeros((side, side), labelled.labels.dtype)
    if (last <= first).any():
        return LabelledImage(image, labels)
    to = np.clip(np.round((first - corner) * scale), 0, side).astype(int)
    until = np.clip(np.round((last - corner) * scale), 0, side).astype(int)
    size = until - to
    if (size <= 0).any():
        return LabelledImage(image, labels)
    part = np.s_[first[1] : last[1], first[0] : last[0]]
    place = np.s_[to[1] : until[1], to[0] : until[0]]
    how = cv2.INTER_AREA if scale < LEAST_SHARE else cv2.INTER_LINEAR
    image[place] = cv2.resize(np.ascontiguousarray(labelled.image[part]), size.tolist(), interpolation=how)
    labels[place] = cv2.resize(
        np.ascontiguousarray(labelled.labels[part]), size.tolist(), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return LabelledImage(image, labels)
