"""Videos rendered from photographs: cut-out objects that move over other photographs, with exact ground truth."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.clips.cutouts import centred, paste, turned
from vosmem.data.rendering.scenes import Scene, stage
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.videos import GeneratedSequences, VideoSequence
from vosmem.errors import InputError

REDRAWS = 8
NOISE_STREAM = 1_000_003  # keeps the noise of a frame apart from the draws of the scene


class RenderedSequence(VideoSequence):
    """One video. Frames are rendered when they are asked for; each is a function of (seed, t) alone.

    Args:
        name: what tables call it.
        source: photographs with objects, of which some are cut out and another is the background.
        scene: what the video may hold.
        seed: numbers that name the video.

    Raises:
        InputError: the photographs hold no object that can be cut out.
    """

    def __init__(self, name: str, source: ImageSource, scene: Scene, seed: Sequence[int]):
        self.name, self.scene, self._seed = name, scene, tuple(seed)
        self.frame_names: Sequence[str] = [f"{t:05d}" for t in range(scene.num_frames)]
        self._latest: tuple[int, np.ndarray, np.ndarray] | None
        for attempt in range(1 + REDRAWS):
            rng = np.random.default_rng((*seed, attempt))
            self._staging, self._latest = stage(source, scene, rng), None
            shown = np.bincount(self.render(0)[1].ravel(), minlength=256)[1:]
            seen = np.flatnonzero(shown >= scene.min_object_share * scene.height * scene.width) + 1
            if len(seen) == len({actor.label for actor in self._staging.actors} - {0}):
                break
        if not len(seen):
            raise InputError(f"rendered video {name!r}: no object is seen in frame 0 after {REDRAWS} draws")
        self.object_ids: tuple[int, ...] = tuple(range(1, len(seen) + 1))
        slots = {int(label): slot for slot, label in enumerate(seen, start=1)}
        actors = [actor._replace(label=slots.get(actor.label, 0)) for actor in self._staging.actors]
        self._staging, self._latest = self._staging._replace(actors=actors), None

    def frame(self, t: int) -> UInt8[Tensor, "3 H W"]:
        """RGB bytes of frame t."""
        return torch.from_numpy(self.render(t)[0]).permute(2, 0, 1)

    def labels(self, t: int) -> UInt8[Tensor, "H W"]:
        """Slots of frame t."""
        return torch.from_numpy(self.render(t)[1])

    def render(self, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        """Frame t and its labels; the latest are kept, since frame and labels are asked for in turn."""
        if self._latest is None or self._latest[0] != t:
            self._latest = (t, *self._render(t))
        return self._latest[1:]

    def _render(self, t: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W"]]:
        scene, staging = self.scene, self._staging
        shown = turned(0.0, 1.0, (scene.width - 1) / 2, (scene.height - 1) / 2)
        camera = turned(staging.camera_degrees[t], staging.camera_zoom[t], staging.camera_x[t], staging.camera_y[t])
        view = shown @ camera
        frame = cv2.warpAffine(
            staging.background,
            (view @ centred(staging.background))[:2],
            (scene.width, scene.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        labels = np.zeros((scene.height, scene.width), np.uint8)
        for actor in staging.actors:
            place = turned(actor.degrees[t], actor.scale[t], actor.x[t], actor.y[t], actor.mirror)
            paste(frame, labels, actor.thing, view @ place @ centred(actor.thing.alpha), actor.label, actor.bend(t))
        return self._expose(frame, t), labels

    def _expose(self, frame: UInt8[np.ndarray, "H W 3"], t: int) -> UInt8[np.ndarray, "H W 3"]:
        """Brightness, tint and noise of frame t."""
        exposed = frame * np.float32(self._staging.gain[t]) + self._staging.tint[t]
        if self.scene.noise:
            rng = np.random.default_rng((*self._seed, NOISE_STREAM, t))
            exposed += rng.standard_normal(frame.shape, np.float32) * self.scene.noise
        return (exposed + 0.5).clip(0, 255).astype(np.uint8)


class RenderedVideos(GeneratedSequences[RenderedSequence]):
    """A set of rendered videos, each a function of (seed, place) alone.

    Args:
        source: photographs with objects.
        scene: what a video may hold.
        count: number of videos.
        seed: base seed.
    """

    def __init__(self, source: ImageSource, scene: Scene, count: int, seed: int):
        super().__init__(count)
        self.source, self.scene, self.seed = source, scene, seed

    def _make(self, place: int) -> RenderedSequence:
        return RenderedSequence(f"rendered_{place:04d}", self.source, self.scene, (self.seed, place))
