"""The axis legend, and the few tuples that cross floors.

Axes always stand in the order `B K T C H W`; absent ones are dropped.

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

`logits` stand before softmax, `probs` after, `labels` are integers. Feature maps are named by stride: `f16 f8 f4`.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


class Clip(NamedTuple):
    """A batch of short clips as the loaders give them; bytes, since normalising is cheaper on the device.

    Attributes:
        frames: RGB, 0 to 255.
        labels: 0 is background, 1..K the objects of the clip, in every frame the same.
        num_objects: objects in use of each clip; the labels of a clip never exceed its count.
    """

    frames: UInt8[Tensor, "B T 3 H W"]
    labels: UInt8[Tensor, "B T H W"]
    num_objects: Int[Tensor, "B"]


class Prior(NamedTuple):
    """Where the objects were before a frame is looked at.

    Attributes:
        masks: soft masks of the frame before, averaged over cells; in [0, 1].
        valid: which slots hold an object; all by default.
        earlier: the masks of the frame before that; None where there is none.
    """

    masks: Float[Tensor, "B K h w"]
    valid: Bool[Tensor, "B K"] | None = None
    earlier: Float[Tensor, "B K h w"] | None = None


class Query(NamedTuple):
    """A frame, encoded: the question to the memory, and what the decoder needs beside the answer.

    Attributes:
        key: what memory keys are compared with.
        value: the frame's own value.
        f16: features at stride 16.
        f8: features at stride 8.
        f4: features at stride 4.
        far: how far each cell is from where the objects were, in [0, 1]; None where the network does not look at that.
    """

    key: Float[Tensor, "B Ck h w"]
    value: Float[Tensor, "B Cv h w"]
    f16: Float[Tensor, "B C16 h w"]
    f8: Float[Tensor, "B C8 h8 w8"]
    f4: Float[Tensor, "B C4 h4 w4"]
    far: Float[Tensor, "B h w"] | None = None


class Memory(NamedTuple):
    """Keys and values of remembered frames, one row an object.

    Attributes:
        key: what a query's key is compared with; of a network that matches by place, and one channel more that marks
            the cells of objects, in [0, 1].
        value: what is read.
    """

    key: Float[Tensor, "O Ck T h w"]
    value: Float[Tensor, "O Cv T h w"]
