"""Videos rendered from images: cut-out objects that move over other images, with exact ground truth."""

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips.cutouts import centred, paste, turned
from vosmem.data.rendering.scenes import Scene, Staging, draw_staging
from vosmem.data.sources.image_sets import ImageSource, LabelledImage, Sizes
from vosmem.data.videos import GeneratedSequences, VideoSequence
from vosmem.errors import InputError

REDRAWS = 8
NOISE_STREAM = 1_000_003  # separates the seed of a frame's noise from that of the scene


class RenderedSequence(VideoSequence):
    """One video, for evaluation and training. Frames are rendered on demand; each is a function of (seed, t) only.

    The scene is drawn when the first frame or the objects are asked for.

    Args:
        source: images with objects: some objects are cut out, and another image is the background.
        seed: numbers that identify the video.

    Raises:
        InputError: the images hold no object that can be cut out.
    """

    frame_step = 1

    def __init__(self, name: str, source: ImageSource, scene: Scene, seed: Sequence[int]):
        self.name, self.source, self.scene, self._seed = name, source, scene, tuple(seed)
        self.frame_names: Sequence[str] = [f"{t:05d}" for t in range(scene.num_frames)]
        self._latest: tuple[int, np.ndarray, np.ndarray] | None = None

    @cached_property
    def _staging(self) -> Staging:
        """The scene, drawn again if an object is not seen in frame 0; labels are slots 1..K."""
        scene = self.scene
        for attempt in range(1 + REDRAWS):
            staging = draw_staging(self.source, scene, np.random.default_rng((*self._seed, attempt)))
            pixels = np.bincount(self._render(staging, 0)[1].ravel(), minlength=256)[1:]
            seen = np.flatnonzero(pixels >= scene.min_object_share * scene.height * scene.width) + 1
            if len(seen) == len({actor.label for actor in staging.actors} - {0}):
                break
        if not len(seen):
            raise InputError(
                f"rendered video {self.name!r}: no object is seen in frame 0 after {1 + REDRAWS} draws: use larger "
                "objects"
            )
        slots = {int(label): slot for slot, label in enumerate(seen, start=1)}
        return staging._replace(actors=[actor._replace(label=slots.get(actor.label, 0)) for actor in staging.actors])

    @property
    def object_ids(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(range(1, 1 + max(actor.label for actor in self._staging.actors)))

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return torch.from_numpy(self.render(t)[0]).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        return torch.from_numpy(self.render(t)[1])

    def read(self, t: int) -> LabelledImage:
        return LabelledImage(*self.render(t))

    def sizes(self, t: int) -> Sizes:
        size = (self.scene.width, self.scene.height)
        return size, size

    def render(self, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        """Frame t and its labels; the latest are cached, since callers ask for frame and labels in turn."""
        if self._latest is None or self._latest[0] != t:
            self._latest = (t, *self._render(self._staging, t))
        return self._latest[1:]

    def _render(self, staging: Staging, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        scene = self.scene
        to_frame_centre = turned(0.0, 1.0, (scene.width - 1) / 2, (scene.height - 1) / 2)
        camera = turned(staging.camera_degrees[t], staging.camera_zoom[t], staging.camera_x[t], staging.camera_y[t])
        view = to_frame_centre @ camera
        frame = cv2.warpAffine(
            staging.background,
            (view @ centred(staging.background))[:2],
            (scene.width, scene.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        labels = np.zeros((scene.height, scene.width), np.uint8)
        for actor in staging.actors:
            pose = turned(actor.degrees[t], actor.scale[t], actor.x[t], actor.y[t], actor.mirror)
            paste(frame, labels, actor.cutout, view @ pose @ centred(actor.cutout.alpha), actor.label, actor.bend(t))
        return self._exposed(frame, staging, t), labels

    def _exposed(self, frame: UInt8[np.ndarray, "H W 3"], staging: Staging, t: int) -> UInt8[np.ndarray, "H W 3"]:
        """Apply brightness, tint and noise of frame t."""
        exposed = frame * np.float32(staging.gain[t]) + staging.tint[t]
        if self.scene.noise:
            rng = np.random.default_rng((*self._seed, NOISE_STREAM, t))
            exposed += rng.standard_normal(frame.shape, np.float32) * self.scene.noise
        return (exposed + 0.5).clip(0, 255).astype(np.uint8)


class RenderedVideos(GeneratedSequences[RenderedSequence]):
    """`count` rendered videos, each a function of (seed, index) only; see `RenderedSequence`."""

    def __init__(self, source: ImageSource, scene: Scene, count: int, seed: int):
        super().__init__(count)
        self.source, self.scene, self.seed = source, scene, seed

    def _make(self, index: int) -> RenderedSequence:
        return RenderedSequence(f"rendered_{index:04d}", self.source, self.scene, (self.seed, index))
