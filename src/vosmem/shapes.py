"""The axis legend, and the tuples that cross floors.

Axes have the order `B K T C H W`; absent ones are dropped.

====== =========================================================================================
 B     clips in a batch
 K     objects of a clip (slots, padded to the largest clip of the batch)
 K1    K + 1: background as slot 0, then the objects
 O     objects of all clips of the batch, packed: the valid (clip, slot) pairs in row-major order
 T     frames
 C     channels; Ck of keys, Cv of values
 H W   pixels; h w = H/16, W/16
 N     memory cells, T*h*w
====== =========================================================================================

`logits` come before the softmax, `probs` after it, `labels` are integers. Features are named by stride: `f16 f8 f4`.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


class Clip(NamedTuple):
    """A batch of short clips from a loader; bytes, since normalising is cheaper on the device.

    Attributes:
        frames: RGB, 0 to 255.
        labels: 0 is background, 1..K the objects of the clip, the same in every frame.
        num_objects: number of objects of each clip; its labels do not exceed it.
    """

    frames: UInt8[Tensor, "B T 3 H W"]
    labels: UInt8[Tensor, "B T H W"]
    num_objects: Int[Tensor, "B"]


class Prior(NamedTuple):
    """Masks of the frames before the one to be segmented.

    Attributes:
        masks: soft masks of the previous frame, averaged over cells; in [0, 1].
        valid: which slots hold an object; all by default.
        earlier: masks of the frame before the previous one; None if there is none.
    """

    masks: Float[Tensor, "B K h w"]
    valid: Bool[Tensor, "B K"] | None = None
    earlier: Float[Tensor, "B K h w"] | None = None


class Query(NamedTuple):
    """An encoded frame to be segmented.

    Attributes:
        key: key that is compared with memory keys.
        value: value of the frame itself.
        f16: features at stride 16.
        f8: features at stride 8.
        f4: features at stride 4.
        far: distance of each cell from the previous masks, in [0, 1]; None if the network does not use it.
    """

    key: Float[Tensor, "B Ck h w"]
    value: Float[Tensor, "B Cv h w"]
    f16: Float[Tensor, "B C16 h w"]
    f8: Float[Tensor, "B C8 h8 w8"]
    f4: Float[Tensor, "B C4 h4 w4"]
    far: Float[Tensor, "B h w"] | None = None


class Memory(NamedTuple):
    """Keys and values of frames in memory, one row for each object.

    Attributes:
        key: key that is compared with a query's; a network with a locality penalty appends a channel that marks cells
            of objects, in [0, 1].
        value: value that is read.
    """

    key: Float[Tensor, "O Ck T h w"]
    value: Float[Tensor, "O Cv T h w"]
