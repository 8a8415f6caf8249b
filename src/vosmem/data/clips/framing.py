"""Object-centred crops of training clips, like the windows of inference."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vosmem.data.sources.image_sets import LabelledImage
from vosmem.errors import InputError

IMAGENET_MEAN_BYTES = (124, 116, 104)
CONTEXT = 1.4  # side of the returned square in crops: a margin for the affine maps that follow
LEAST_SHARE = 0.75  # scale below which area averaging looks better than interpolation


@dataclass(frozen=True)
class ObjectFraming:
    """Crops a square around the objects of a clip, at the scale at which a network sees them at inference.

    A randomly placed crop often loses the object, or jumps by several memory cells from frame to frame. Here the crop
    holds the objects of frame 0 and follows them, as the windows of inference do.

    Args:
        size: side of the crop in pixels.
        short_side: short side of frames at inference, in pixels; it sets the scale of the crop.
        zoom: least and greatest factor of that scale, drawn uniformly on a logarithmic axis.
        fill: least and greatest share of the crop's side that the objects' bounding box may take; a larger box is
            shrunk.
        whole: probability that the crop's side is the short side of the frame, wherever the objects are.

    Raises:
        InputError: a range is empty or not positive, or `whole` is not a probability.
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
                "in ascending order, and a probability from 0 to 1"
            )

    def __call__(self, clip: Sequence[LabelledImage], rng: np.random.Generator) -> list[LabelledImage]:
        """Cut a square of `CONTEXT` times the crop's side for each frame; its centre is the crop.

        Args:
            clip: frames of one size with objects 1..K. A frame that occurs twice is cut once.

        Returns:
            one square a frame; pixels outside the frame have the mean colour and are background.
        """
        height, width = clip[0].labels.shape
        boxes = [_box(frame.labels) for frame in clip]
        scale, centre = self._start(boxes[0], height, width, rng)
        follow = float(rng.uniform())  # 0 keeps the crop where it is, 1 moves it with the objects
        cut: dict[int, LabelledImage] = {}
        for frame, box in zip(clip, boxes, strict=True):
            if id(frame.image) not in cut:
                moved = centre
                if box is not None and boxes[0] is not None:
                    moved = centre + follow * (_middle(box) - _middle(boxes[0]))
                cut[id(frame.image)] = _cut(frame, moved, scale, round(CONTEXT * self.size))
        return [cut[id(frame.image)] for frame in clip]

    def _start(
        self, box: np.ndarray | None, height: int, width: int, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Scale from frame to crop, and the crop's centre (x, y) in the first frame."""
        fits = self.size / min(height, width)
        zoom = rng.uniform(np.log(self.zoom[0]), np.log(self.zoom[1]))
        fill, shift = rng.uniform(self.fill[0], self.fill[1]), rng.uniform(-1, 1, 2)
        if box is None or rng.random() < self.whole:
            scale, box = fits, np.array([0, 0, width, height], float) if box is None else box
        else:
            longer = max(box[2] - box[0], box[3] - box[1])
            scale = min(self.short_side / min(height, width) * np.exp(zoom), fill * self.size / longer)
            # Not so small that the crop exceeds the frame, unless the objects would then exceed the crop.
            scale = max(scale, min(fits, self.size / longer))
        window = self.size / scale
        slack = np.maximum(0, window - (box[2:] - box[:2])) / 2
        centre = _middle(box) + 0.8 * shift * slack
        # Keep the crop inside the frame if it fits.
        low, high = np.full(2, window / 2), np.array([width, height]) - window / 2
        return float(scale), np.where(low <= high, np.clip(centre, low, np.maximum(low, high)), centre)


def _box(labels: np.ndarray) -> np.ndarray | None:
    """Bounding box of the objects: left, top, right, bottom; None without an object."""
    left, top, width, height = cv2.boundingRect((labels > 0).astype(np.uint8))
    return np.array([left, top, left + width, top + height], float) if width else None


def _middle(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def _cut(labelled: LabelledImage, centre: np.ndarray, scale: float, side: int) -> LabelledImage:
    """Cut a square of `side` pixels around a point of the frame, resized by `scale`."""
    height, width = labelled.labels.shape
    corner = centre - side / scale / 2
    first = np.clip(np.floor(corner), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(corner + side / scale), 0, (width, height)).astype(int)
    image = np.full((side, side, 3), IMAGENET_MEAN_BYTES, np.uint8)
    labels = np.zeros((side, side), labelled.labels.dtype)
    if (last <= first).any():
        return LabelledImage(image, labels)
    start = np.clip(np.round((first - corner) * scale), 0, side).astype(int)
    end = np.clip(np.round((last - corner) * scale), 0, side).astype(int)
    size = end - start
    if (size <= 0).any():
        return LabelledImage(image, labels)
    part = np.s_[first[1] : last[1], first[0] : last[0]]
    target = np.s_[start[1] : end[1], start[0] : end[0]]
    interpolation = cv2.INTER_AREA if scale < LEAST_SHARE else cv2.INTER_LINEAR
    image[target] = cv2.resize(np.ascontiguousarray(labelled.image[part]), size.tolist(), interpolation=interpolation)
    labels[target] = cv2.resize(
        np.ascontiguousarray(labelled.labels[part]), size.tolist(), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return LabelledImage(image, labels)
