"""Segmentation of frames as they arrive: arrays or tensors of frames and masks in, object ids out."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts.first_mask import FirstMask, make_first_mask
from vosmem.inference.propagation.ensemble import Ensemble, make_propagator
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.methods import most_probable
from vosmem.inference.sequences.saved_stream import load_stream, save_stream
from vosmem.inputs.prompts import make_prompts
from vosmem.memory.budget import bounded
from vosmem.memory.policy import EveryN, MemoryPolicy
from vosmem.networks.network import MemoryNetwork


class Segmented(NamedTuple):
    """The result for one frame.

    Attributes:
        t: frame index in the stream.
        ids: object id of every pixel, 0 for background; on the CPU.
        objects: ids of the followed objects, in the order of the rows of `probs` after background.
        probs: probabilities of background and objects, on the network's device.
    """

    t: int
    ids: Int32[Tensor, "H W"]
    objects: tuple[int, ...]
    probs: Float[Tensor, "K1 H W"]


class Stream:
    """Segments the frames of one video as they arrive; holds the memory and the last frame only.

    The caller steps, so it does not use the loop of `segment_frames`.

    The propagator is a new one, with its network on the engine's device.
    """

    def __init__(self, propagator: Propagator | Ensemble, engine: Engine):
        self.propagator, self.engine = propagator, engine
        self._t = -1

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the followed objects."""
        return self.propagator.objects

    @property
    def memory_bytes(self) -> int:
        """Bytes of the memory."""
        return self.propagator.memory_bytes

    def step(self, frame: Any, mask: Any = None, *, absent: Sequence[int] = ()) -> Segmented:
        """Segment the next frame.

        Args:
            frame: RGB as an array or a tensor, (H, W, 3) or (3, H, W): bytes, or numbers in [0, 1].
            mask: integers (H, W), if the user gives a mask (required for the first frame): 0 for background, otherwise
                object ids. Unknown ids are new objects.
            absent: ids of objects that are not visible in this frame, as in `Propagator.step`.

        Raises:
            InputError: frame or mask has another type, shape or range, or the first frame has no mask.
        """
        image = as_frame(frame).to(self.engine.device)
        labels, objects = (None, None) if mask is None else as_labels(mask)
        with self.engine.context():
            probs = self.propagator.step(image, labels, objects, absent=absent)
        self._t += 1
        table = torch.tensor([0, *self.objects], dtype=torch.int32)
        return Segmented(self._t, table[most_probable(probs).cpu().long()], self.objects, probs)

    def remove(self, object_id: int) -> None:
        """Stop following an object and free its memory, as in `Propagator.remove`."""
        self.propagator.remove(object_id)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the stream after its last frame, for `restore`; an earlier file is replaced atomically.

        Raises:
            OSError: the file cannot be written.
        """
        save_stream(Path(path), self._t, self.propagator, self.engine)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Continue after the last frame of a saved stream, whose network and arguments must be this stream's.

        Raises:
            InputError: the file is missing, damaged or no stream, or its network or arguments differ.
        """
        self._t = load_stream(Path(path), self.propagator, self.engine)


class Segmenter:
    """A copy of a network, prepared for inference by an engine, for any number of videos.

    Example:
        >>> from vosmem.networks import STM
        >>> widths = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8}
        >>> network = STM(backbone="resnet10", **widths, weights="none")
        >>> segmenter = Segmenter(network, Engine(torch.device("cpu")))
        >>> frames = (np.full((24, 40, 3), t, np.uint8) for t in range(4))  # as a camera would give them
        >>> mask = np.zeros((24, 40), np.uint8)
        >>> mask[4:14, 6:20] = 7
        >>> for found in segmenter.propagate(frames, mask):
        ...     print(found.t, tuple(found.ids.shape), found.objects)
        0 (24, 40) (7,)
        1 (24, 40) (7,)
        2 (24, 40) (7,)
        3 (24, 40) (7,)
    """

    def __init__(self, network: MemoryNetwork, engine: Engine):
        self.engine = engine
        self.network = engine.ready(network)

    def context(self) -> AbstractContextManager[Any]:
        """Return the context in which a propagator has to run; streams enter it themselves."""
        return self.engine.context()

    def propagator(
        self,
        memory: MemoryPolicy | None = None,
        short_side: int | None = None,
        flip: bool = False,
        zoom: float | None = None,
        whole_masks: bool = False,
    ) -> Propagator | Ensemble:
        """Make a propagator for one video, which takes tensors on the engine's device.

        Args:
            memory: which frames stay in memory; every fifth by default. A policy without a limit gets the default
                limits of `memory.budget.bounded`.
            short_side: largest short side of the frames for the network; 0 keeps their size, None takes the network's
                convention. Small frames are enlarged to the network's `enlarge_to`, but not beyond `short_side`.
            flip: whether results are averaged with those of mirrored frames.
            zoom: largest magnification of a window around the objects; 1 for whole frames, None for the network's
                convention.
            whole_masks: if true, a given mask is authoritative: its objects are set to background outside it.

        Raises:
            InputError: a value is out of its range, or the policy asks for a gate that the network does not have.
        """
        policy = bounded(EveryN() if memory is None else memory, self.engine.device, sharing=1 + flip)
        window = Zoom(most=self.network.conventions.zoom if zoom is None else float(zoom))
        enlarge_to = self.network.conventions.enlarged(short_side)
        return make_propagator(
            self.network, policy, short_side, enlarge_to, flip=flip, zoom=window, whole_masks=whole_masks
        )

    def stream(
        self,
        memory: MemoryPolicy | None = None,
        short_side: int | None = None,
        flip: bool = False,
        zoom: float | None = None,
    ) -> Stream:
        """Make a stream for one video; the arguments are those of `propagator`."""
        return Stream(self.propagator(memory, short_side, flip, zoom), self.engine)

    def propagate(
        self,
        frames: Iterable[Any],
        masks: Any,
        memory: MemoryPolicy | None = None,
        short_side: int | None = None,
        flip: bool = False,
        zoom: float | None = None,
    ) -> Iterator[Segmented]:
        """Segment frames from any source (a list, a video, a camera), each as soon as it arrives.

        Args:
            frames: frames as in `Stream.step`.
            masks: mask of the first frame, or a mapping from frame indices to masks.
            memory: which frames stay in memory, as in `propagator`, like the following arguments.
            short_side: size of the frames for the network.
            flip: whether results are averaged with those of mirrored frames.
            zoom: largest magnification of a window around the objects.

        Raises:
            InputError: a frame or a mask has another type, shape or range, or the first frame has no mask.
        """
        given = masks if isinstance(masks, Mapping) else {0: masks}
        stream = self.stream(memory, short_side, flip, zoom)
        for t, frame in enumerate(frames):
            yield stream.step(frame, given.get(t))

    def first_mask(
        self,
        frame: Any,
        boxes: Any = None,
        points: Any = None,
        labels: Any = None,
        cut: str = "network",
    ) -> FirstMask:
        """Make a mask from a box around each object, from points on it and off it, or from both.

        Args:
            frame: frame as in `Stream.step`.
            boxes: x0, y0, x1, y1 in pixels for each object; x1 and y1 are exclusive.
            points: x, y in pixels of the points of each object.
            labels: for each point 1 if it is on the object, and 0 if it is not; by default all are on the object.
            cut: `network` for the bundled network that was trained for it, `grabcut` for GrabCut without a network, or
                `sam:WEIGHTS` for SAM 2 or EdgeTAM of transformers.

        Returns:
            `ids` for `propagate`, the predicted `quality` of each object, and `notes`.

        Raises:
            InputError: the arguments are of different lengths, `cut` is unknown, or a prompt cannot hold an object.
        """
        image = (as_frame(frame) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().contiguous().numpy()
        return make_first_mask(image, make_prompts(boxes, points, labels), self.engine, cut)


def as_frame(frame: Any) -> Float[Tensor, "3 H W"]:
    """Convert an image, (H, W, 3) or (3, H, W) of bytes or numbers in [0, 1], to RGB in [0, 1].

    Raises:
        InputError: the shape, type or range is another, or the shape is ambiguous.

    Example:
        >>> as_frame(np.full((4, 6, 3), 51, np.uint8))[:, 0, 0].tolist()
        [0.20000000298023224, 0.20000000298023224, 0.20000000298023224]
    """
    image = _tensor(frame, "frame")
    first, last = image.ndim == 3 and image.shape[0] == 3, image.ndim == 3 and image.shape[-1] == 3
    if first == last:
        why = "could be height or channels" if first else "is not RGB"
        raise InputError(f"frame of shape {tuple(image.shape)} {why}: give (H, W, 3) or (3, H, W)")
    image = image.permute(2, 0, 1) if last else image
    if image.dtype == torch.uint8:
        return image.float() / 255
    if not image.is_floating_point():
        raise InputError(f"frame holds {image.dtype}: give bytes (uint8), or numbers in [0, 1]")
    if image.numel() and not (float(image.min()) >= 0 and float(image.max()) <= 1):
        raise InputError("frame holds numbers outside [0, 1]: divide by 255, or give bytes (uint8)")
    return image.float()


def as_labels(mask: Any) -> tuple[Int64[Tensor, "H W"], tuple[int, ...]]:
    """Convert a mask of object ids (H, W), 0 for background, to labels 1..K and the ids in their order.

    Raises:
        InputError: the shape or type is another, or a number is negative.

    Example:
        >>> labels, ids = as_labels(np.array([[0, 9, 4]], np.uint8))
        >>> labels.tolist(), ids
        ([[0, 2, 1]], (4, 9))
    """
    ids = _tensor(mask, "mask")
    if ids.ndim != 2:
        raise InputError(f"mask has shape {tuple(ids.shape)}: give whole numbers (H, W), 0 for background")
    if ids.is_floating_point() or ids.is_complex() or (ids.numel() and int(ids.long().min()) < 0):
        raise InputError(f"mask holds {ids.dtype} or numbers below 0: give ids as whole numbers, 0 for background")
    present, labels = torch.unique(ids.long(), return_inverse=True)
    objects = tuple(int(object_id) for object_id in present if object_id)
    return labels + int(len(objects) == len(present)), objects  # without background labels start at 0


def _tensor(values: Any, what: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    array = np.array(values, order="C")  # a copy that torch may own; also for images of Pillow
    if array.dtype.kind not in "buif":
        raise InputError(f"{what} is a {type(values).__name__}: give a numpy array or a tensor")
    return torch.from_numpy(array)
