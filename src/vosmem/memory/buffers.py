"""Buffers of keys and values that grow with the memory."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.shapes import Memory


class ObjectGroup:
    """Keys and values of objects that appeared in one frame, and so have the same frames in memory.

    The buffers double when they are full, up to the limit, and hold the cells of a frame contiguously, so that a read
    copies nothing.

    Attributes:
        frames: indices of the frames in memory, in the order of the buffers.
    """

    def __init__(self, num_objects: int) -> None:
        self.num_objects = num_objects
        self.frames: list[int] = []
        self._buffers: list[Tensor] = []  # keys, values: (rows, capacity, h, w, C)

    def append(self, frame_index: int, entry: Memory, limit: int | None) -> None:
        """Add a frame (T = 1); `limit` is the largest number of frames that the buffers may hold."""
        parts = [distinct(entry.key), entry.value]
        self._reserve(parts, limit)
        for buffer, part in zip(self._buffers, parts, strict=True):
            buffer[:, len(self.frames)] = part[:, :, 0].permute(0, 2, 3, 1)
        self.frames.append(frame_index)

    def drop(self, frame_index: int) -> None:
        """Remove a frame; the last frame moves to its index, since a read does not depend on the order."""
        index, last = self.frames.index(frame_index), len(self.frames) - 1
        if index != last:
            for buffer in self._buffers:
                buffer[:, index] = buffer[:, last]
            self.frames[index] = self.frames[last]
        self.frames.pop()

    def shrink(self, limit: int) -> None:
        """Free capacity beyond the limit, which falls when objects join."""
        capacity = max(limit, len(self.frames))
        if self._buffers and self._buffers[0].shape[1] > capacity:
            self._buffers = [buffer[:, :capacity].clone() for buffer in self._buffers]

    def remove(self, row: int) -> None:
        """Remove an object; keys that all objects share stay."""
        self._buffers = [
            torch.cat([buffer[:row], buffer[row + 1 :]]) if len(buffer) == self.num_objects else buffer
            for buffer in self._buffers
        ]
        self.num_objects -= 1

    def memory(self) -> Memory:
        """Keys and values as views of the buffers."""
        key, value = (buffer[:, : len(self.frames)].permute(0, 4, 1, 2, 3) for buffer in self._buffers)
        return Memory(key.expand(self.num_objects, *key.shape[1:]), value)

    def convert(self, dtype: torch.dtype) -> None:
        self._buffers = [buffer.to(dtype) for buffer in self._buffers]

    def state_dict(self) -> dict[str, Any]:
        return {"num_objects": self.num_objects, "frames": list(self.frames), "buffers": self._buffers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.num_objects, self.frames = state["num_objects"], list(state["frames"])
        self._buffers = list(state["buffers"])

    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self._buffers)

    def _reserve(self, parts: list[Tensor], limit: int | None) -> None:
        capacity = self._buffers[0].shape[1] if self._buffers else 0
        if len(self.frames) < capacity:
            return
        wanted = max(1, 2 * capacity)
        if limit is not None:
            wanted = max(len(self.frames) + 1, min(wanted, limit))
        grown = [part.new_empty(len(part), wanted, *part.shape[3:], part.shape[1]) for part in parts]
        for buffer, old in zip(grown, self._buffers, strict=False):  # no old ones at first
            buffer[:, :capacity] = old
        self._buffers = grown


def distinct(keys: Float[Tensor, "O Ck T h w"]) -> Float[Tensor, "P Ck T h w"]:
    """Return only the first row if the rows are one expanded tensor."""
    return keys[:1] if len(keys) > 1 and keys.stride(0) == 0 else keys
