"""A widget of napari that propagates labels from the frames where they were painted to all later frames.

The package offers it to napari (`napari.yaml`): Plugins > Propagate labels (vosmem).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Integer, UInt8

import vosmem
from vosmem.errors import InputError
from vosmem.inference.sequences.streaming import Segmenter

if TYPE_CHECKING:
    import napari

LARGEST_UINT16 = 65535


@lru_cache(maxsize=1)
def _segmenter(weights: str) -> Segmenter:
    return vosmem.load(weights or None)


def propagate(
    viewer: "napari.Viewer",
    video: "napari.layers.Image",
    labels: "napari.layers.Labels",
    from_shown_frame_only: bool = False,
    short_side: int = 480,
    weights: str = "",
) -> None:
    """Add a layer with the labels of all frames; it fills while the network runs, and removing it ends the run.

    Args:
        viewer: that shows the layers.
        video: frames along the first axis, in colours or grey.
        labels: of the same size. Every frame with labels is a given mask.
        from_shown_frame_only: give only the labels of the shown frame, and keep those before it.
        short_side: largest short side of the frames for the network.
        weights: file or name as in `vosmem.load`; empty for those of the package.
    """
    from napari.qt.threading import thread_worker

    painted, shown = np.asarray(labels.data), int(viewer.dims.current_step[0])
    frames = video.data[0] if video.multiscale else video.data
    given = check_layers(frames, painted, video.rgb, shown if from_shown_frame_only else None)
    result = viewer.add_labels(
        painted.copy(), name=f"{labels.name} propagated", scale=labels.scale, translate=labels.translate
    )
    steps = propagated(
        frames, painted, given, _segmenter(weights), short_side, None if video.rgb else video.contrast_limits
    )

    def show(step: tuple[int, Integer[np.ndarray, "H W"]]) -> None:
        if result not in viewer.layers:
            worker.quit()
            return
        result.data[step[0]] = step[1]
        result.refresh()

    progress = {"total": len(painted) - given[0], "desc": "vosmem"}
    worker = thread_worker(lambda: (yield from steps), progress=progress)()
    worker.yielded.connect(show)
    worker.start()


def check_layers(frames: Any, labels: Integer[np.ndarray, "..."], rgb: bool, only: int | None = None) -> list[int]:
    """Return the indices of the frames whose labels are given.

    Args:
        frames: of the video, with colours on the last axis if `rgb`.
        labels: painted labels.
        rgb: whether the frames have colours.
        only: the index of the only frame whose labels are given; None for all.

    Raises:
        InputError: the layers have different sizes, or no given frame has labels.
    """
    size = tuple(frames.shape[: -1 if rgb else None])
    if len(size) != 3 or labels.shape != size:
        raise InputError(
            f"labels have shape {labels.shape}, the video {size}: choose a video of shape (frames, height, width) and "
            "labels of the same shape"
        )
    given = [t for t in (range(len(labels)) if only is None else [only]) if labels[t].any()]
    if not given:
        where = "no frame has labels" if only is None else f"frame {only} has no labels"
        raise InputError(f"{where}: paint the objects in the labels layer")
    return given


def propagated(
    frames: Any,
    labels: Integer[np.ndarray, "T H W"],
    given: Sequence[int],
    segmenter: Segmenter,
    short_side: int,
    limits: Sequence[float] | None,
) -> Iterator[tuple[int, Integer[np.ndarray, "H W"]]]:
    """Segment from the first given frame on; yields the index and the labels of each frame.

    Args:
        frames: array, also a lazy one, (T, H, W) or (T, H, W, C).
        labels: with the masks of the given frames.
        given: indices of the given frames.
        segmenter: whose network is used.
        short_side: largest short side of the frames for the network.
        limits: contrast limits of grey frames; None for frames with colours.
    """
    first = given[0]
    images = (as_rgb(np.asarray(frames[t]), limits) for t in range(first, len(labels)))
    masks = {t - first: labels[t].astype(np.int64) for t in given}
    for found in segmenter.propagate(images, masks, short_side=short_side):
        yield first + found.t, found.ids.numpy().astype(labels.dtype)


def as_rgb(image: Any, limits: Sequence[float] | None) -> UInt8[np.ndarray, "H W 3"] | Float[np.ndarray, "H W 3"]:
    """Convert a frame to RGB: grey values as napari shows them, between the contrast limits.

    Example:
        >>> as_rgb(np.array([[100, 300, 500]], np.uint16), (100, 500))[0, :, 0].tolist()
        [0.0, 0.5, 1.0]
    """
    if limits is None:
        image = image[..., :3]
        if image.dtype == np.uint16:
            image = image / LARGEST_UINT16
        return image if image.dtype == np.uint8 else np.clip(image, 0, 1)
    low, high = limits
    grey = np.clip((image.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    return grey[..., None].repeat(3, axis=-1)
