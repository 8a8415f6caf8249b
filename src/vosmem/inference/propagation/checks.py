"""What can be handed to a propagator."""

from collections.abc import Sequence

from torch import Tensor

from vosmem.errors import InputError
from vosmem.ops.masks import MOST_OBJECTS


def check_frame(frame: Tensor, mask: Tensor | None, before: tuple[int, int] | None) -> None:
    """Look at the sizes and types of a frame and its mask.

    Args:
        frame: (3, H, W).
        mask: (H, W); None where there is none.
        before: height and width of the frame before; None for the first frame, which needs a mask.

    Raises:
        InputError: they do not fit.
    """
    if before is not None and before != frame.shape[-2:]:
        raise InputError(f"frame is {_size(frame)}, the one before it {before[1]}x{before[0]}: give frames of one size")
    if mask is None and before is None:
        raise InputError("the first frame has no mask: give one to say which objects to follow")
    if mask is not None and mask.shape != frame.shape[-2:]:
        raise InputError(
            f"mask is {_size(mask)}, its frame {_size(frame)}: resize the mask (nearest neighbour) to the frame"
        )
    if mask is not None and (mask.is_floating_point() or mask.is_complex()):
        raise InputError(f"mask holds {mask.dtype}: give integer labels, 0 for background")


def check_ids(present: Sequence[int], objects: Sequence[int], together: int) -> None:
    """Look at the labels of a mask.

    Args:
        present: the labels in it.
        objects: ids of the labels 1, 2, ...
        together: objects that are followed with it.

    Raises:
        InputError: a label has no id, an id cannot be one, or the objects are too many.
    """
    if min(present) < 0 or max(present) > len(objects):
        label = min(present) if min(present) < 0 else max(present)
        raise InputError(f"mask holds label {label}: give labels from 0 to {len(objects)}, as many as there are ids")
    if len(set(objects)) < len(objects) or min(objects, default=1) < 1:
        raise InputError(f"ids of the objects are {list(objects)}: give each once, 1 or above")
    if together > MOST_OBJECTS:
        raise InputError(f"{together} objects are too many: a video can have {MOST_OBJECTS} at a time")


def _size(x: Tensor) -> str:
    return f"{x.shape[-1]}x{x.shape[-2]}"
