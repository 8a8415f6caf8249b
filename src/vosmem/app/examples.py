"""Example videos: a short real clip, and videos rendered from photographs of the scikit-image package."""

from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree

import numpy as np
from jaxtyping import UInt16

from vosmem.data.decoding.images import read_labels
from vosmem.data.rendering.rendered_videos import RenderedSequence
from vosmem.data.rendering.scenes import Scene
from vosmem.data.sources.coco import embedded_images
from vosmem.errors import InputError
from vosmem.inference.output.davis_folders import write_frame

CLIP = "A chair and its reflection"
# Number of objects and seed, chosen by eye.
RENDERED = {"One cup": (1, 6), "Two objects": (2, 3), "One before the other": (2, 1)}
EXAMPLES = (CLIP, *RENDERED)
HEIGHT, WIDTH, NUM_FRAMES = 240, 426, 32


def write_example(name: str, folder: Path) -> tuple[Path, UInt16[np.ndarray, "H W"]]:
    """Write an example of `EXAMPLES`; returns the folder of its frames and the mask of the first frame.

    Videos are rendered from photographs that are not used for training. `InputError` if there is no such example.
    """
    if name not in EXAMPLES:
        raise InputError(f"there is no example {name!r}: use {', '.join(EXAMPLES)}")
    frames = folder / name
    if name == CLIP:
        with as_file(files("vosmem.examples") / "chair") as chair:
            copytree(chair / "frames", frames)
            return frames, read_labels(chair / "00000.png").astype(np.uint16)
    num_objects, seed = RENDERED[name]
    scene = Scene(
        *(HEIGHT, WIDTH, NUM_FRAMES),
        num_objects=(num_objects, num_objects),
        num_look_alikes=(0, 0),
        object_size=(0.45, 0.7),
        turn=20.0,
        grow=(0.85, 1.15),
        leaving=0.0,
        camera_turn=3.0,
        gain=(0.9, 1.1),
        tint=3.0,
        noise=1.0,
    )
    video = RenderedSequence(name, embedded_images("val"), scene, (seed,))
    frames.mkdir(parents=True)
    for t, stem in enumerate(video.frame_names):
        write_frame(frames / f"{stem}.jpg", video.frame(t))
    return frames, video.labels(0).numpy().astype(np.uint16)
