"""The memory bank: keys and values of the frames that a video's objects remember."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from vosmem.shapes import Memory


@dataclass
class _Group:
    """Objects that came at the same frame and so remember the same frames."""

    num_objects: int
    frames: list[int] = field(default_factory=list)
    entries: list[Memory] = field(default_factory=list)

    def joined(self) -> Memory:
        keys, values = zip(*self.entries, strict=True)
        return Memory(torch.cat(keys, dim=2), torch.cat(values, dim=2))


class MemoryBank:
    """Holds what each object remembers. Objects may join later; they remember nothing from before they came.

    At most one frame is temporary (the one before the current); it goes when the next is added.
    """

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._temporary: int | None = None

    @property
    def num_objects(self) -> int:
        """Objects known so far."""
        return sum(group.num_objects for group in self._groups)

    @property
    def frames(self) -> list[int]:
        """Indices of the frames held, in the order they came; those of the objects known longest."""
        return list(self._groups[0].frames) if self._groups else []

    def __len__(self) -> int:
        return len(self.frames)

    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        tensors = [part for group in self._groups for entry in group.entries for part in entry]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def add(self, frame_index: int, memory: Memory, *, keep: bool) -> None:
        """Remember a frame.

        Args:
            frame_index: its place in the video.
            memory: one row an object, T = 1; rows beyond the objects known so far are new objects.
            keep: False if the frame is to go when the next one is added.
        """
        self._drop_temporary()
        newcomers = memory.key.shape[0] - self.num_objects
        if newcomers:
            self._groups.append(_Group(newcomers))
        start = 0
        for group in self._groups:
            rows = slice(start, start + group.num_objects)
            group.frames.append(frame_index)
            group.entries.append(Memory(memory.key[rows], memory.value[rows]))
            start = rows.stop
        self._temporary = None if keep else frame_index

    def groups(self) -> Iterator[Memory]:
        """What each group of objects remembers, in the order of the objects; T differs between groups."""
        return (group.joined() for group in self._groups)

    def _drop_temporary(self) -> None:
        if self._temporary is None:
            return
        for group in self._groups:
            if self._temporary in group.frames:
                place = group.frames.index(self._temporary)
                del group.frames[place], group.entries[place]
