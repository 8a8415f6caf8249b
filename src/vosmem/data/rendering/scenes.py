"""The content of a rendered video: objects, background, and their motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from vosmem.data.clips.cutouts import CutOut, choose_donor, cut_out, recoloured
from vosmem.data.rendering.motion import num_knots, smooth_path, through_knots, wander
from vosmem.data.sources.image_sets import ImageSource
from vosmem.errors import InputError

BEND_GRID = 4  # points along each side of an object's deformation grid
REACH = 0.38  # greatest distance of an object's centre from the middle, as a share of the frame's sides
Range = Sequence[float]  # least and greatest


@dataclass(frozen=True)
class Scene:
    """Ranges of what a rendered video may hold, drawn for each video. Lengths are shares of the short side.

    Args:
        height: of the frames, in pixels.
        width: of the frames, in pixels.
        num_frames: length; a clip of three frames with skips of 25 needs 53.
        num_objects: least and greatest number of followed objects.
        num_look_alikes: least and greatest number of mirrored and recoloured copies that are background.
        object_size: least and greatest longer side of an object.
        speed: typical displacement of an object between two frames.
        turn: greatest rotation of an object in either direction, in degrees.
        grow: least and greatest scale of an object over the video.
        bend: greatest deformation, as a share of the object's longer side.
        leaving: probability that an object leaves the frame for a while.
        camera_shift: greatest displacement of the camera in either direction.
        camera_zoom: least and greatest zoom of the camera.
        camera_turn: greatest rotation of the camera in either direction, in degrees.
        gain: least and greatest factor of the brightness, which drifts.
        tint: greatest shift of a colour channel in either direction, in bytes; it drifts, too.
        noise: standard deviation of the sensor's noise, in bytes.
        frames_per_knot: frames between the random knots of every motion.
        min_object_share: share of the frame that an object must show in frame 0 to be followed.

    Raises:
        InputError: a count is impossible.
    """

    height: int
    width: int
    num_frames: int = 60
    num_objects: Sequence[int] = (1, 5)
    num_look_alikes: Sequence[int] = (0, 2)
    object_size: Range = (0.3, 0.8)
    speed: float = 0.012
    turn: float = 35.0
    grow: Range = (0.7, 1.3)
    bend: float = 0.04
    leaving: float = 0.3
    camera_shift: float = 0.15
    camera_zoom: Range = (0.9, 1.15)
    camera_turn: float = 6.0
    gain: Range = (0.75, 1.2)
    tint: float = 8.0
    noise: float = 2.0
    frames_per_knot: float = 15.0
    min_object_share: float = 0.002

    def __post_init__(self) -> None:
        least, most = self.num_objects
        if not 1 <= least <= most <= 254 or self.num_frames < 1 or min(self.height, self.width) < 16:
            raise InputError(
                f"a scene of {self.num_frames} frames of {self.width}x{self.height} with {least} to {most} objects "
                "cannot be rendered: use 1 or more frames of 16 or more pixels a side, and 1 to 254 objects"
            )

    @property
    def short_side(self) -> int:
        """The shorter side of a frame, the unit of all lengths."""
        return min(self.height, self.width)


class Actor(NamedTuple):
    """A cut-out and its motion."""

    cutout: CutOut
    label: int  # its slot; 0 if it is not followed
    x: Float64[np.ndarray, "T"]  # displacement of its centre to the right of the world's centre, in pixels
    y: Float64[np.ndarray, "T"]  # displacement of its centre below the world's centre, in pixels
    degrees: Float64[np.ndarray, "T"]  # rotation
    scale: Float64[np.ndarray, "T"]  # size relative to the cut-out
    mirror: bool  # whether it is mirrored
    bends: Float32[np.ndarray, "2 g g 2"]  # two deformations, blended by `phase`
    phase: Float64[np.ndarray, "T"]  # angle of the blend

    def bend(self, t: int) -> Float32[np.ndarray, "g g 2"]:
        """Deformation of frame t, as `cutouts.paste` takes it."""
        return np.float32(np.cos(self.phase[t])) * self.bends[0] + np.float32(np.sin(self.phase[t])) * self.bends[1]


class Staging(NamedTuple):
    """All draws that the frames of a video depend on, except noise."""

    actors: list[Actor]  # moving cut-outs, the farthest first
    background: UInt8[np.ndarray, "h w 3"]  # RGB bytes, larger than a frame
    camera_x: Float64[np.ndarray, "T"]  # displacement of the world's centre to the right of the frame's, in pixels
    camera_y: Float64[np.ndarray, "T"]  # displacement of the world's centre below the frame's, in pixels
    camera_degrees: Float64[np.ndarray, "T"]  # rotation of the world
    camera_zoom: Float64[np.ndarray, "T"]  # scale of the world
    gain: Float64[np.ndarray, "T"]  # factor of the brightness
    tint: Float32[np.ndarray, "T 3"]  # shift of each channel, in bytes


def draw_staging(source: ImageSource, scene: Scene, rng: np.random.Generator) -> Staging:
    """Draw a video: objects 1..K, look-alikes, a background image with other objects, and all motion.

    Raises:
        InputError: the images hold no object that can be cut out.
    """
    count = int(rng.integers(scene.num_objects[0], scene.num_objects[1] + 1))
    donors = [choose_donor(source, rng) for _ in range(count)]
    actors = [_actor(source, donor, label, scene, rng) for label, donor in enumerate(donors, start=1)]
    for _ in range(int(rng.integers(scene.num_look_alikes[0], scene.num_look_alikes[1] + 1))):
        copy = _actor(source, donors[int(rng.integers(count))], 0, scene, rng)
        actors.append(copy._replace(cutout=recoloured(copy.cutout, rng)))
    shift = scene.camera_shift * scene.short_side
    return Staging(
        actors=[actors[index] for index in rng.permutation(len(actors))],
        background=_background(source, {item for item, _ in donors}, scene, rng),
        camera_x=_path(scene, rng, -shift, shift),
        camera_y=_path(scene, rng, -shift, shift),
        camera_degrees=_path(scene, rng, -scene.camera_turn, scene.camera_turn),
        camera_zoom=_path(scene, rng, *scene.camera_zoom),
        gain=_path(scene, rng, *scene.gain),
        tint=np.stack([_path(scene, rng, -scene.tint, scene.tint) for _ in range(3)], axis=1).astype(np.float32),
    )


def _path(scene: Scene, rng: np.random.Generator, low: float, high: float) -> Float64[np.ndarray, "T"]:
    return smooth_path(rng, scene.num_frames, low, high, scene.frames_per_knot)


def _actor(source: ImageSource, donor: tuple[int, int], label: int, scene: Scene, rng: np.random.Generator) -> Actor:
    side = rng.uniform(scene.object_size[0], scene.object_size[1]) * scene.short_side
    cutout = cut_out(source.read(donor[0]), donor[1], side * scene.grow[1])
    knots = num_knots(scene.num_frames, scene.frames_per_knot)
    step = scene.speed * scene.frames_per_knot * scene.short_side
    x, y = (wander(rng, knots, step, -REACH * length, REACH * length) for length in (scene.width, scene.height))
    if knots > 2 and rng.random() < scene.leaving:
        x[int(rng.integers(1, knots - 1))] = float(rng.choice([-1, 1])) * (scene.width / 2 + 0.75 * side)
    shapes = rng.uniform(-1, 1, (2, BEND_GRID, BEND_GRID, 2)).astype(np.float32)
    return Actor(
        cutout=cutout,
        label=label,
        x=through_knots(x, scene.num_frames),
        y=through_knots(y, scene.num_frames),
        degrees=_path(scene, rng, -scene.turn, scene.turn),
        scale=_path(scene, rng, *scene.grow) / scene.grow[1],
        mirror=bool(rng.integers(2)),
        bends=shapes * np.float32(scene.bend * max(cutout.alpha.shape)),
        phase=_path(scene, rng, 0.0, 2 * np.pi),
    )


def _background(
    source: ImageSource, taken: set[int], scene: Scene, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """An image none of whose objects is an actor, enlarged so that the camera does not reach its border."""
    free = [index for index in range(len(source)) if index not in taken] or list(range(len(source)))
    image = source.read(free[int(rng.integers(len(free)))]).image
    margin = (1 + 2 * scene.camera_shift) / scene.camera_zoom[0]
    scale = margin * max(scene.height / image.shape[0], scene.width / image.shape[1])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
