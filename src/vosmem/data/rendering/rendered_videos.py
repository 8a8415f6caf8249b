"""Videos rendered from images: cut-out objects that move over other images, with exact ground truth."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips.cutouts import centred, paste, turned
from vosmem.data.rendering.scenes import Scene, draw_staging
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.videos import GeneratedSequences, VideoSequence
from vosmem.errors import InputError

REDRAWS = 8
NOISE_STREAM = 1_000_003  # separates the seed of a frame's noise from that of the scene


class RenderedSequence(VideoSequence):
    """One video. Frames are rendered on demand; each is a function of (seed, t) only.

    Args:
        source: images with objects: some objects are cut out, and another image is the background.
        seed: numbers that identify the video.

    Raises:
        InputError: the images hold no object that can be cut out.
    """

    def __init__(self, name: str, source: ImageSource, scene: Scene, seed: Sequence[int]):
        self.name, self.scene, self._seed = name, scene, tuple(seed)
        self.frame_names: Sequence[str] = [f"{t:05d}" for t in range(scene.num_frames)]
        self._latest: tuple[int, np.ndarray, np.ndarray] | None
        for attempt in range(1 + REDRAWS):
            rng = np.random.default_rng((*seed, attempt))
            self._staging, self._latest = draw_staging(source, scene, rng), None
            pixels = np.bincount(self.render(0)[1].ravel(), minlength=256)[1:]
            seen = np.flatnonzero(pixels >= scene.min_object_share * scene.height * scene.width) + 1
            if len(seen) == len({actor.label for actor in self._staging.actors} - {0}):
                break
        if not len(seen):
            raise InputError(
                f"rendered video {name!r}: no object is seen in frame 0 after {1 + REDRAWS} draws: use larger objects"
            )
        self.object_ids: tuple[int, ...] = tuple(range(1, len(seen) + 1))
        slots = {int(label): slot for slot, label in enumerate(seen, start=1)}
        actors = [actor._replace(label=slots.get(actor.label, 0)) for actor in self._staging.actors]
        self._staging, self._latest = self._staging._replace(actors=actors), None

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        return torch.from_numpy(self.render(t)[0]).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        return torch.from_numpy(self.render(t)[1])

    def render(self, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        """Frame t and its labels; the latest are cached, since callers ask for frame and labels in turn."""
        if self._latest is None or self._latest[0] != t:
            self._latest = (t, *self._render(t))
        return self._latest[1:]

    def _render(self, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        scene, staging = self.scene, self._staging
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
        return self._exposed(frame, t), labels

    def _exposed(self, frame: UInt8[np.ndarray, "H W 3"], t: int) -> UInt8[np.ndarray, "H W 3"]:
        """Apply brightness, tint and noise of frame t."""
        exposed = frame * np.float32(self._staging.gain[t]) + self._staging.tint[t]
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
