"""The synthetic videos that the golden scores and golden runs in `tests/golden` were made of.

Every number is drawn with numpy's PCG64, and the order of the draws is part of the contract.
"""

import numpy as np

TILE = 6  # pixels per side of a square of the background's texture


def video(num_frames: int, height: int, width: int, num_objects: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Textured discs that drift over a panning texture.

    Returns:
        frames (T, H, W, 3) uint8 and labels (T, H, W) uint8 with the ids 1 to K.
    """
    rng = np.random.default_rng(seed)
    tiles = rng.uniform(0, 255, (height // TILE + 24, width // TILE + 24, 3))
    texture = tiles.repeat(TILE, axis=0).repeat(TILE, axis=1)
    colours = rng.uniform(40, 215, (num_objects, 3))
    patches = rng.uniform(-40, 40, (num_objects, height, width))
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    labels = np.zeros((num_frames, height, width), np.uint8)
    for t in range(num_frames):
        frame = texture[2 * t : 2 * t + height, 3 * t : 3 * t + width].copy()
        for k in range(num_objects):
            inside = _disc(t, k, height, width, num_objects)
            labels[t][inside] = k + 1
            frame[inside] = colours[k] + patches[k][inside][:, None]
        frames[t] = frame.clip(0, 255)
    return frames, labels


def _disc(t: int, k: int, height: int, width: int, num_objects: int) -> np.ndarray:
    """The pixels of object k at time t."""
    rows, cols = np.ogrid[:height, :width]
    centre_row = height * (0.25 + 0.5 * ((k * 0.37) % 1)) + 8 * np.sin(t / 3 + k)
    centre_col = width * (0.2 + 0.6 * k / max(1, num_objects)) + 4 * t
    radius = min(height, width) * 0.16
    return (rows - centre_row) ** 2 + (cols - centre_col) ** 2 < radius**2
