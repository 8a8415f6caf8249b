"""Smooth random motion."""

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import PchipInterpolator


def smooth_path(
    rng: np.random.Generator, num_frames: int, low: float, high: float, frames_per_knot: float
) -> Float64[np.ndarray, "T"]:
    """Random values in [low, high] at a knot now and then, joined without overshoot.

    Args:
        rng: where the values come from.
        num_frames: length of the path.
        low: least value.
        high: greatest value.
        frames_per_knot: frames from one knot to the next; the smaller, the livelier.
    """
    return through_knots(rng.uniform(low, high, num_knots(num_frames, frames_per_knot)), num_frames)


def through_knots(knots: Float64[np.ndarray, "n"], num_frames: int) -> Float64[np.ndarray, "T"]:
    """Values of every frame, through equally spaced knots from the first frame to the last."""
    if num_frames == 1:
        return knots[:1]
    return PchipInterpolator(np.linspace(0, num_frames - 1, len(knots)), knots)(np.arange(num_frames))


def num_knots(num_frames: int, frames_per_knot: float) -> int:
    """Knots of a path: at least its two ends."""
    return max(2, round(num_frames / frames_per_knot) + 1)


def wander(rng: np.random.Generator, count: int, step: float, low: float, high: float) -> Float64[np.ndarray, "n"]:
    """A random walk that turns back at the ends of [low, high]; starts anywhere in it."""
    place, places = rng.uniform(low, high), []
    for _ in range(count):
        places.append(place)
        place += rng.normal(0, step)
        folded = np.mod(place - low, 2 * (high - low))
        place = low + min(folded, 2 * (high - low) - folded)
    return np.array(places)
