"""The buffers in which objects that came together remember."""

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.shapes import Memory


class ObjectGroup:
    """Objects that came at the same frame and so remember the same frames."""

    def __init__(self, num_objects: int) -> None:
        self.num_objects = num_objects
        self.frames: list[int] = []
        self._buffers: list[Tensor] = []  # keys, values: (rows, capacity, h, w, C)

    def append(self, frame_index: int, entry: Memory, limit: int | None) -> None:
        parts = [distinct(entry.key), entry.value]
        self._make_room(parts, limit)
        for buffer, part in zip(self._buffers, parts, strict=True):
            buffer[:, len(self.frames)] = part[:, :, 0].permute(0, 2, 3, 1)
        self.frames.append(frame_index)

    def drop(self, place: int) -> None:
        """Forget a frame; the last one takes its place, since a read does not ask for their order."""
        last = len(self.frames) - 1
        if place != last:
            for buffer in self._buffers:
                buffer[:, place] = buffer[:, last]
            self.frames[place] = self.frames[last]
        self.frames.pop()

    def shrink(self, limit: int) -> None:
        """Let go of room for more frames than the limit, which falls when objects join."""
        room = max(limit, len(self.frames))
        if self._buffers and self._buffers[0].shape[1] > room:
            self._buffers = [buffer[:, :room].clone() for buffer in self._buffers]

    def remove(self, row: int) -> None:
        """Forget an object; keys that all objects share stay."""
        self._buffers = [
            _without(buffer, row) if len(buffer) == self.num_objects else buffer for buffer in self._buffers
        ]
        self.num_objects -= 1

    def memory(self) -> Memory:
        key, value = (buffer[:, : len(self.frames)].permute(0, 4, 1, 2, 3) for buffer in self._buffers)
        return Memory(key.expand(self.num_objects, *key.shape[1:]), value)

    def convert(self, dtype: torch.dtype) -> None:
        self._buffers = [buffer.to(dtype) for buffer in self._buffers]

    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self._buffers)

    def _make_room(self, parts: list[Tensor], limit: int | None) -> None:
        capacity = self._buffers[0].shape[1] if self._buffers else 0
        if len(self.frames) < capacity:
            return
        wanted = max(1, 2 * capacity) if limit is None else max(len(self.frames) + 1, min(max(1, 2 * capacity), limit))
        grown = []
        for place, part in enumerate(parts):
            rows, channels, _, height, width = part.shape
            buffer = part.new_empty(rows, wanted, height, width, channels)
            if self._buffers:
                buffer[:, :capacity] = self._buffers[place]
            grown.append(buffer)
        self._buffers = grown


def distinct(keys: Float[Tensor, "O Ck T h w"]) -> Float[Tensor, "P Ck T h w"]:
    """Of rows that are one tensor, expanded, the first alone."""
    return keys[:1] if len(keys) > 1 and keys.stride(0) == 0 else keys


def _without(buffer: Float[Tensor, "O T h w C"], row: int) -> Float[Tensor, "O2 T h w C"]:
    return torch.cat([buffer[:row], buffer[row + 1 :]])
