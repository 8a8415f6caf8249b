"""Object ids of a video, and their rows in the probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64, Integer
from torch import Tensor

from vosmem.errors import InputError
from vosmem.ops.masks import MOST_OBJECTS


class ObjectRows:
    """Assigns each object id a row of the probabilities. Row 0 is background; a removed object's row closes up.

    Attributes:
        ids: the ids in the order of their rows, from row 1 on.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self._highest_id = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the rows as plain values."""
        return {"ids": list(self.ids), "highest_id": self._highest_id}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the rows by those of a state."""
        self.ids, self._highest_id = list(state["ids"]), state["highest_id"]

    def assign(self, mask: Integer[Tensor, "H W"], ids: Sequence[int] | None) -> Int64[Tensor, "H W"]:
        """Assign rows to the new objects of a mask, and replace the mask's labels by rows.

        `ids` are the object ids of the labels 1, 2, ...; by default label k is object k.

        Raises:
            InputError: a label has no id, an id is repeated or below 1, or there are too many objects.
        """
        present = torch.unique(mask).tolist()
        if ids is None:
            ids = range(1, max(present) + 1)
            # A label without pixels that is above all earlier ids is a new object; a lower one was removed.
            new = [k for k in ids if k not in self.ids and (k > self._highest_id or k in present)]
        else:
            new = [object_id for object_id in ids if object_id not in self.ids]
        _check_ids(present, ids, len(self.ids) + len(new))
        self.ids += new
        self._highest_id = max([self._highest_id, *new])
        rows = [0, *(self.ids.index(k) + 1 if k in self.ids else 0 for k in ids)]
        return torch.tensor(rows, device=mask.device)[mask.long()]

    def of(self, ids: Sequence[int]) -> list[int]:
        """Return the rows of the ids that are followed; the other ids are ignored."""
        return [self.ids.index(object_id) + 1 for object_id in ids if object_id in self.ids]

    def remove(self, object_id: int) -> int:
        """Remove an object, and return the index that it had in `ids`.

        Raises:
            InputError: the id is not followed.
        """
        if object_id not in self.ids:
            raise InputError(f"object {object_id} is not followed: the objects are {self.ids}")
        index = self.ids.index(object_id)
        del self.ids[index]
        return index


def _check_ids(present: Sequence[int], ids: Sequence[int], num_objects: int) -> None:
    if min(present) < 0 or max(present) > len(ids):
        label = min(present) if min(present) < 0 else max(present)
        raise InputError(f"mask holds label {label}: give labels from 0 to {len(ids)}, the number of object ids")
    if len(set(ids)) < len(ids) or min(ids, default=1) < 1:
        raise InputError(f"object ids are {list(ids)}: give each once, 1 or above")
    if num_objects > MOST_OBJECTS:
        raise InputError(f"{num_objects} objects are too many: a video can have {MOST_OBJECTS} at a time")
