"""Segmenting frames as they come: pictures and masks of the usual kinds in, ids out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.ensemble import Ensemble, make_propagator
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.methods import most_probable
from vosmem.memory.policy import EveryN, MemoryPolicy
from vosmem.networks.network import MemoryNetwork


class Segmented(NamedTuple):
    """What was found in a frame.

    Attributes:
        t: its place in the stream.
        ids: the object of every pixel, 0 for background; on the CPU.
        objects: the ids that are followed, in the order of the rows of `probs` after background.
        probs: of background and objects, on the network's device.
    """

    t: int
    ids: Int32[Tensor, "H W"]
    objects: tuple[int, ...]
    probs: Float[Tensor, "K1 H W"]


class Stream:
    """Segments the frames of one video as they come; holds the memory and the last frame, and no other.

    Args:
        propagator: fresh, its network on the engine's device.
        engine: how it runs.
    """

    def __init__(self, propagator: Propagator | Ensemble, engine: Engine):
        self.propagator, self.engine = propagator, engine
        self._t = -1

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects that are followed."""
        return self.propagator.objects

    @property
    def memory_bytes(self) -> int:
        """Bytes of all that is remembered."""
        return self.propagator.memory_bytes

    def step(self, frame: Any, mask: Any = None, *, absent: Sequence[int] = ()) -> Segmented:
        """Segment the next frame.

        Args:
            frame: RGB as an array or a tensor, (H, W, 3) or (3, H, W): bytes, or numbers in [0, 1].
            mask: where the user gives one (always for the first frame): whole numbers (H, W), 0 for background; every
                other number is the id of an object. Ids that are not followed yet are new objects.
            absent: as of `Propagator.step`.

        Raises:
            InputError: frame or mask is of another kind, shape or range, or the first frame has no mask.
        """
        picture = as_frame(frame).to(self.engine.device)
        labels, objects = (None, None) if mask is None else as_labels(mask)
        with self.engine.context():
            probs = self.propagator.step(picture, labels, objects, absent=absent)
        self._t += 1
        table = torch.tensor([0, *self.objects], dtype=torch.int32)
        return Segmented(self._t, table[most_probable(probs).cpu().long()], self.objects, probs)

    def remove(self, object_id: int) -> None:
        """As `Propagator.remove`."""
        self.propagator.remove(object_id)


class Segmenter:
    """A network that is ready to run, on any number of videos.

    Args:
        network: the network; it stays as it is.
        engine: how it is to run.

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
        """Where a propagator has to run; streams see to it themselves."""
        return self.engine.context()

    def propagator(
        self,
        memory: MemoryPolicy | None = None,
        short_side: int | None = None,
        flip: bool = False,
        zoom: float | None = None,
        whole_masks: bool = False,
    ) -> Propagator | Ensemble:
        """A fresh propagator for one video, which takes tensors on the engine's device.

        Args:
            memory: which frames stay in memory; every fifth by default.
            short_side: the frames' short side for the network, if theirs is larger; 0 keeps it, None as the network was
                made.
            flip: whether results are averaged with those of mirrored frames.
            zoom: the most that a window around the objects is enlarged by; 1 looks at whole frames, None as the network
                was made.
            whole_masks: as of `Propagator`.

        Raises:
            InputError: as of `Propagator`.
        """
        policy = EveryN() if memory is None else memory
        zoom = self.network.conventions.zoom if zoom is None else float(zoom)
        return make_propagator(
            self.network, policy, short_side, flip=flip, zoom=Zoom(most=zoom), whole_masks=whole_masks
        )

    def stream(
        self,
        memory: MemoryPolicy | None = None,
        short_side: int | None = None,
        flip: bool = False,
        zoom: float | None = None,
    ) -> Stream:
        """For one video, frame by frame; arguments as of `propagator`.

        Raises:
            InputError: as of `Propagator`.
        """
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
        """Segment frames from anywhere (a list, a video, a camera), one as soon as it is there.

        Args:
            frames: as of `Stream.step`.
            masks: the first frame's mask, or a mapping from places of frames to masks.
            memory: as of `propagator`.
            short_side: as of `propagator`.
            flip: as of `propagator`.
            zoom: as of `propagator`.

        Raises:
            InputError: as of `Stream.step`.
        """
        given = masks if isinstance(masks, Mapping) else {0: masks}
        stream = self.stream(memory, short_side, flip, zoom)
        for t, frame in enumerate(frames):
            yield stream.step(frame, given.get(t))


def as_frame(frame: Any) -> Float[Tensor, "3 H W"]:
    """A picture of any usual kind as RGB in [0, 1].

    Args:
        frame: (H, W, 3) or (3, H, W); bytes, or numbers in [0, 1].

    Raises:
        InputError: it is none of these, or it could be both.

    Example:
        >>> as_frame(np.full((4, 6, 3), 51, np.uint8))[:, 0, 0].tolist()
        [0.20000000298023224, 0.20000000298023224, 0.20000000298023224]
    """
    picture = _tensor(frame, "frame")
    first, last = picture.ndim == 3 and picture.shape[0] == 3, picture.ndim == 3 and picture.shape[-1] == 3
    if first == last:
        why = "could be height or channels" if first else "is not RGB"
        raise InputError(f"frame of shape {tuple(picture.shape)} {why}: give (H, W, 3) or (3, H, W)")
    picture = picture.permute(2, 0, 1) if last else picture
    if picture.dtype == torch.uint8:
        return picture.float() / 255
    if not picture.is_floating_point():
        raise InputError(f"frame holds {picture.dtype}: give bytes (uint8), or numbers in [0, 1]")
    if picture.numel() and not (float(picture.min()) >= 0 and float(picture.max()) <= 1):
        raise InputError("frame holds numbers outside [0, 1]: divide by 255, or give bytes (uint8)")
    return picture.float()


def as_labels(mask: Any) -> tuple[Int64[Tensor, "H W"], tuple[int, ...]]:
    """A mask of ids as labels 1..K, and the ids in their order.

    Args:
        mask: whole numbers (H, W); 0 is background.

    Raises:
        InputError: it has another shape, or holds other numbers.

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
    objects = tuple(int(number) for number in present if number)
    return labels + int(len(objects) == len(present)), objects


def _tensor(values: Any, what: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    array = np.array(values, order="C")  # a copy that torch may own; pictures of Pillow too
    if array.dtype.kind not in "buif":
        raise InputError(f"{what} is a {type(values).__name__}: give a numpy array or a tensor")
    return torch.from_numpy(array)
