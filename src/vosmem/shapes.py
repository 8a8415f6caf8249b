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
    """A batch of short clips from a loader; bytes, since normalising is cheaper on the device."""

    frames: UInt8[Tensor, "B T 3 H W"]  # RGB, 0 to 255
    labels: UInt8[Tensor, "B T H W"]  # 0 is background, 1..K the objects of the clip, the same in every frame
    num_objects: Int[Tensor, "B"]  # number of objects of each clip; its labels do not exceed it


class Prior(NamedTuple):
    """Masks of the frames before the one to be segmented."""

    masks: Float[Tensor, "B K h w"]  # soft masks of the previous frame, averaged over cells; in [0, 1]
    valid: Bool[Tensor, "B K"] | None = None  # which slots hold an object; all by default
    earlier: Float[Tensor, "B K h w"] | None = None  # masks of the frame before the previous one; None if there is none


class Query(NamedTuple):
    """An encoded frame to be segmented."""

    key: Float[Tensor, "B Ck h w"]  # compared with memory keys
    value: Float[Tensor, "B Cv h w"]  # of the frame itself
    f16: Float[Tensor, "B C16 h w"]  # features, named by stride
    f8: Float[Tensor, "B C8 h8 w8"]
    f4: Float[Tensor, "B C4 h4 w4"]
    far: Float[Tensor, "B h w"] | None = None  # distance from the previous masks, in [0, 1]; None if it is not used


class Memory(NamedTuple):
    """Keys and values of frames in memory, one row for each object.

    A network with a locality penalty appends a channel to the keys that marks cells of objects, in [0, 1].
    """

    key: Float[Tensor, "O Ck T h w"]  # compared with a query's key
    value: Float[Tensor, "O Cv T h w"]  # read
