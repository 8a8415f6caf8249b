"""Label maps, one-hot masks, and rows of objects."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer, Shaped, UInt8, UInt16
from torch import Tensor

from vosmem.errors import InputError

VOID = 255  # in masks of one byte, unless it is the only id
MOST_OBJECTS = 254  # slots are bytes, 0 is background, and 255 is void


def one_hot(labels: Integer[Tensor, "B H W"], num_slots: int) -> Float[Tensor, "B K H W"]:
    """Convert labels 1..K to K float masks of 0 and 1; background and labels above K are in none.

    Example:
        >>> one_hot(torch.tensor([[[0, 1, 2]]]), 2)[0, :, 0].tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    ids = torch.arange(1, num_slots + 1, device=labels.device).view(1, -1, 1, 1)
    return (labels[:, None] == ids).float()


def slots_in_use(num_objects: Int[Tensor, "B"], num_slots: int) -> Bool[Tensor, "B K"]:
    """Return true for the first `num_objects` slots of each clip."""
    return torch.arange(num_slots, device=num_objects.device) < num_objects[:, None]


def other_masks(masks: Float[Tensor, "B K H W"]) -> Float[Tensor, "B K H W"]:
    """Return for each object the clamped sum of all other objects' masks.

    Source:
        the published STM code; the paper does not mention this input.
    """
    return (masks.sum(dim=1, keepdim=True) - masks).clamp(0, 1)


class PackedMasks(NamedTuple):
    """Masks of all objects of a batch, one row each: the object's, the other objects', and the index of its frame."""

    own: Float[Tensor, "O 1 H W"]
    rest: Float[Tensor, "O 1 H W"]
    owners: Int[Tensor, "O"]


def pack(masks: Float[Tensor, "B K H W"], valid: Bool[Tensor, "B K"] | None = None) -> PackedMasks:
    """Pack the masks of the valid slots into rows, in row-major order.

    By default all slots are valid. Shapes depend on `valid`: keep it on the CPU, which would otherwise wait for a GPU.
    """
    rest = other_masks(masks)
    if valid is None:
        owners = torch.arange(masks.shape[0], device=masks.device).repeat_interleave(masks.shape[1])
        return PackedMasks(masks.flatten(0, 1)[:, None], rest.flatten(0, 1)[:, None], owners)
    own, others = (rows_of(part, valid)[:, None] for part in (masks, rest))
    return PackedMasks(own, others, owners_in(valid, masks.device))


def rows_of(x: Shaped[Tensor, "B K *S"], valid: Bool[Tensor, "B K"]) -> Shaped[Tensor, "O *S"]:
    """Return the rows of the valid slots, as `x[valid]`, without a wait for the device if `valid` is on the CPU."""
    return x.flatten(0, 1)[on_device(valid.flatten().nonzero()[:, 0], x.device)]


def owners_in(valid: Bool[Tensor, "B K"], device: torch.device) -> Int[Tensor, "O"]:
    """Return the index in the batch of each valid slot."""
    return on_device(valid.nonzero()[:, 0], device)


def on_device(x: Shaped[Tensor, "*S"], device: torch.device) -> Shaped[Tensor, "*S"]:
    """Copy a small tensor to a device without waiting for the device."""
    return x.to(device, non_blocking=True)


def unpack(rows: Float[Tensor, "O *S"], valid: Bool[Tensor, "B K"]) -> Float[Tensor, "B K *S"]:
    """Put rows of objects back into their slots, the inverse of `rows_of`; padded slots are zero."""
    out = rows.new_zeros(valid.numel(), *rows.shape[1:])
    out = out.index_copy(0, on_device(valid.flatten().nonzero()[:, 0], rows.device), rows)
    return out.unflatten(0, valid.shape)


def overwrite(
    probs: Float[Tensor, "K1 H W"],
    labels: Integer[Tensor, "H W"],
    num_objects: int | None = None,
    whole: bool = False,
    absent: Sequence[int] = (),
) -> Float[Tensor, "K1new H W"]:
    """Overwrite an estimate by given labels, except where they are 0; labels above K add objects.

    Args:
        probs: the estimate.
        labels: given slots.
        num_objects: number of objects in the result, if `labels` may lack the last ones.
        whole: whether objects in `labels` are set to background outside their labels.
        absent: slots that are set to background everywhere.

    Example:
        >>> overwrite(torch.tensor([[[0.75, 0.75]], [[0.25, 0.25]]]), torch.tensor([[0, 2]])).tolist()
        [[[0.75, 0.0]], [[0.25, 0.0]], [[0.0, 1.0]]]
    """
    known = probs.shape[0] - 1
    num_objects = max(known, int(labels.max()) if num_objects is None else num_objects)
    given = one_hot(labels[None], num_objects)[0].to(probs.dtype)
    probs = torch.cat([probs, probs.new_zeros(num_objects - known, *probs.shape[1:])])
    if whole or absent:
        marked = torch.zeros(num_objects, dtype=probs.dtype)
        marked[[slot - 1 for slot in absent]] = 1
        cleared = on_device(marked, probs.device)
        cleared = torch.maximum(cleared, given.amax(dim=(1, 2))) if whole else cleared
        moved = probs[1:] * cleared[:, None, None]
        probs = torch.cat([probs[:1] + moved.sum(dim=0, keepdim=True), probs[1:] - moved])
    return torch.where(labels > 0, torch.cat([probs.new_zeros(1, *labels.shape), given]), probs)


def ids_to_slots(
    ids: UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"], object_ids: Sequence[int]
) -> UInt8[np.ndarray, "H W"]:
    """Convert the ids of a mask file to slots 1..K in the order of `object_ids`; other ids become background.

    Raises:
        InputError: there are more than 254 objects.

    Example:
        >>> ids_to_slots(np.array([[0, 3, 200, 7]], np.uint8), (3, 200)).tolist()
        [[0, 1, 2, 0]]
    """
    if len(object_ids) > MOST_OBJECTS:
        raise InputError(f"{len(object_ids)} objects are too many: a video can have {MOST_OBJECTS}")
    table = np.zeros(np.iinfo(ids.dtype).max + 1, np.uint8)
    for slot, object_id in enumerate(object_ids, start=1):
        if object_id < len(table):
            table[object_id] = slot
    return table[ids]


def slots_to_ids(
    slots: UInt8[np.ndarray, "H W"], object_ids: Sequence[int]
) -> UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"]:
    """Convert slots to the ids of a mask file, the inverse of `ids_to_slots` on the listed ids."""
    return np.array([0, *object_ids], id_type(object_ids))[slots]


def id_type(object_ids: Sequence[int]) -> type[np.uint8] | type[np.uint16]:
    """Return the type of a video's mask files: bytes, or 16 bits if the ids do not fit.

    Id 255 among other ids does not fit: readers take a byte of 255 for void.

    Example:
        >>> [id_type(ids).__name__ for ids in ((1, 254), (255,), (1, 255), (1, 300))]
        ['uint8', 'uint8', 'uint16', 'uint16']
    """
    largest = max(object_ids, default=0)
    return np.uint16 if largest > VOID or (largest == VOID and len(object_ids) > 1) else np.uint8
