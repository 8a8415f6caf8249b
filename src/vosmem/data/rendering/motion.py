"""Smooth random motion."""

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import PchipInterpolator


def smooth_path(
    rng: np.random.Generator, num_frames: int, low: float, high: float, frames_per_knot: float
) -> Float64[np.ndarray, "T"]:
    """Interpolate random values in [low, high] at knots that are `frames_per_knot` apart, without overshoot."""
    return through_knots(rng.uniform(low, high, num_knots(num_frames, frames_per_knot)), num_frames)


def through_knots(knots: Float64[np.ndarray, "n"], num_frames: int) -> Float64[np.ndarray, "T"]:
    """Interpolate equally spaced knots from the first frame to the last."""
    if num_frames == 1:
        return knots[:1]
    return PchipInterpolator(np.linspace(0, num_frames - 1, len(knots)), knots)(np.arange(num_frames))


def num_knots(num_frames: int, frames_per_knot: float) -> int:
    """Number of knots of a path, at least its two ends."""
    return max(2, round(num_frames / frames_per_knot) + 1)


def wander(rng: np.random.Generator, count: int, step: float, low: float, high: float) -> Float64[np.ndarray, "n"]:
    """A random walk from a random start that is reflected at the ends of [low, high]."""
    value, values = rng.uniform(low, high), []
    for _ in range(count):
        values.append(value)
        value += rng.normal(0, step)
        folded = np.mod(value - low, 2 * (high - low))
        value = low + min(folded, 2 * (high - low) - folded)
    return np.array(values)
