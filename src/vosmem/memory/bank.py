"""The memory bank: keys and values of the frames that a video's objects remember."""

import logging
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.memory.buffers import ObjectGroup, distinct
from vosmem.memory.ranking import EVICTIONS, FrameRecords, Ranking
from vosmem.shapes import Memory

LOGGER = logging.getLogger(__name__)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class MemoryBank:
    """Holds what each object remembers. Objects may join later; they remember nothing from before they came.

    At most one frame is temporary (the one before the current); it goes when the next is added. Frames lie in buffers
    that double when they are full, cell by cell, so that nothing is copied to read them.

    Args:
        max_frames: most frames held at a time, the temporary one among them.
        budget_mb: most megabytes (2^20 bytes) of keys and values. Where they would be exceeded, frames go that are not
            pinned; where the pinned ones and one more do not fit, keys and values become bfloat16; where
            that does not help, the budget is exceeded, and the log says so.
        dtype: what keys and values are kept as: `fp32`, `bf16` or `fp16`; None keeps them as they come.
        eviction: who goes first at a limit: the `oldest`, `random` ones, those that are read the least (`usage`), or
            those that are most like others (`novelty`). Pinned frames never do, the newest only where no other can.
        seed: of the random order, which depends on the seed, the video's name and the frame's index only; 0 or more.
        video: name of the video.

    Raises:
        InputError: `max_frames` is below 2, the budget not above 0, the seed below 0, or dtype or `eviction` unknown.
    """

    def __init__(
        self,
        max_frames: int | None = None,
        budget_mb: float | None = None,
        dtype: str | None = None,
        eviction: str = "oldest",
        seed: int = 0,
        video: str = "",
    ) -> None:
        if max_frames is not None and max_frames < 2:
            raise InputError(f"memory.max_frames={max_frames} is too few: the first frame and one more are needed")
        if budget_mb is not None and not budget_mb > 0:  # nan neither
            raise InputError(
                f"memory.budget_mb={budget_mb} is not possible: use a number above 0, or null for no limit"
            )
        if dtype is not None and dtype not in DTYPES:
            raise InputError(f"memory.dtype={dtype!r} is unknown: use {', '.join(DTYPES)}, or null to keep what comes")
        if eviction not in EVICTIONS:
            raise InputError(f"memory.eviction={eviction!r} is unknown: use {', '.join(EVICTIONS)}")
        if seed < 0:
            raise InputError(f"memory.seed={seed} is not possible: use 0 or more")
        self.max_frames, self.budget_mb = max_frames, budget_mb
        self._records = FrameRecords(eviction, seed, video)
        self._dtype = None if dtype is None else DTYPES[dtype]
        self._groups: list[ObjectGroup] = []
        self._pinned: set[int] = set()
        self._temporary: int | None = None
        self._said: set[str] = set()

    @property
    def num_objects(self) -> int:
        """Objects known so far."""
        return sum(group.num_objects for group in self._groups)

    @property
    def frames(self) -> list[int]:
        """Indices of the frames held, ascending; those of the objects known longest."""
        return sorted(self._groups[0].frames) if self._groups else []

    def __len__(self) -> int:
        return len(self._groups[0].frames) if self._groups else 0

    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(group.nbytes() for group in self._groups)

    def add(
        self,
        frame_index: int,
        memory: Memory,
        *,
        keep: bool,
        pinned: bool = False,
        descriptor: Float[Tensor, "D"] | None = None,
    ) -> None:
        """Remember a frame.

        Args:
            frame_index: its place in the video.
            memory: one row an object, T = 1; rows beyond the objects known so far are new objects.
            keep: False if the frame is to go when the next one is added.
            pinned: whether the frame stays whatever the limits (the user gave its mask).
            descriptor: as of `ops.novelty.describe`, where frames are ranked by novelty.
        """
        self._drop_temporary()
        newcomers = memory.key.shape[0] - self.num_objects
        if newcomers:
            self._groups.append(ObjectGroup(newcomers))
        if pinned:
            self._pinned.add(frame_index)
        if keep:
            self._records.add(frame_index, descriptor)
        start, limit = 0, self._limit(memory, frame_index)
        if self._dtype is not None:  # as the limit may just have decided
            memory = Memory(*(_cast(part, self._dtype) for part in memory))
        for group in self._groups:
            rows = slice(start, start + group.num_objects)
            while limit is not None and len(group.frames) >= limit and self._drop_one(group, frame_index):
                pass
            if limit is not None:
                group.shrink(limit)
            group.append(frame_index, Memory(memory.key[rows], memory.value[rows]), limit)
            start = rows.stop
        self._temporary = None if keep else frame_index

    def record_usage(self, shares: Sequence[Float[Tensor, "T"]]) -> None:
        """Note how the attention was shared when the memory was read.

        Args:
            shares: for each group of objects the share of each frame, in the order of its memory; in [0, 1].
        """
        totals: dict[int, Tensor] = {}
        for group, own in zip(self._groups, shares, strict=True):
            for frame, share in zip(group.frames, own * (group.num_objects / self.num_objects), strict=True):
                totals[frame] = totals.get(frame, torch.zeros_like(share)) + share
        self._records.record_usage(totals)

    def ranking(self) -> Ranking:
        """The frames that are kept by how much they are worth, for a gate to say how many stay."""
        return self._records.ranking(self._pinned)

    def evict_to(self, count: int) -> None:
        """Let frames go until so many are left, or none that can go; a temporary one does not count."""
        going = set(self._records.retention_order(self._pinned)[count:]) - self._pinned
        for group in self._groups:
            for frame in going.intersection(group.frames):
                group.drop(group.frames.index(frame))
        self._records.keep_only(self._held())

    def remove(self, row: int) -> None:
        """Forget an object and all that it remembers; the objects after it move up a row.

        Args:
            row: its place among the objects, from 0; one that remembers nothing yet has nothing to forget.
        """
        for group in self._groups:
            if row < group.num_objects:
                group.remove(row)
                break
            row -= group.num_objects
        self._groups = [group for group in self._groups if group.num_objects]
        self._records.keep_only(self._held())
        self._pinned &= self._held()

    def groups(self) -> Iterator[Memory]:
        """What each group of objects remembers, in the order of the objects; T differs between groups."""
        return (group.memory() for group in self._groups)

    def of_object(self, row: int) -> tuple[list[int], Memory]:
        """What one object remembers: the frames, and its row of their memory in the same order.

        Args:
            row: its place among the objects, from 0.
        """
        for group in self._groups:
            if row < group.num_objects:
                return list(group.frames), Memory(*(part[row : row + 1] for part in group.memory()))
            row -= group.num_objects
        raise IndexError("the bank knows fewer objects")

    def _drop_temporary(self) -> None:
        for group in self._groups:
            if self._temporary in group.frames:
                group.drop(group.frames.index(self._temporary))
        self._temporary = None
        self._pinned &= self._held()

    def _drop_one(self, group: ObjectGroup, newcomer: int) -> bool:
        """Whether a frame could go."""
        first_to_go = reversed(self._records.retention_order(self._pinned))
        loose = (f for f in first_to_go if f in group.frames and f not in self._pinned and f != newcomer)
        frame = next(loose, None)
        if frame is None:
            return False
        which = EVICTIONS[self._records.eviction]
        self._say(f"the memory is full: from frame {max(group.frames)} on the {which} frames go", "full")
        group.drop(group.frames.index(frame))
        self._records.keep_only(self._held() | {newcomer})
        return True

    def _held(self) -> set[int]:
        """Frames that any object remembers."""
        return {frame for group in self._groups for frame in group.frames}

    def _limit(self, memory: Memory, frame_index: int) -> int | None:
        """Frames that may be held, the new one among them."""
        limits = [] if self.max_frames is None else [self.max_frames]
        if self.budget_mb is not None:
            needed = 1 + len(self._pinned - {frame_index})
            fitting = self._fitting(memory)
            if fitting < needed and self._element_size(memory) > 2:
                self._say(
                    f"{needed} frames do not fit into {self.budget_mb} MB: the memory is bfloat16 now", "bfloat16"
                )
                self._dtype = torch.bfloat16
                for group in self._groups:
                    group.convert(torch.bfloat16)
                fitting = self._fitting(memory)
            if fitting < needed:
                self._say(
                    f"{needed} frames that have to stay do not fit into {self.budget_mb} MB: it is exceeded", "over"
                )
            limits.append(max(fitting, needed))
        return min(limits) if limits else None

    def _fitting(self, memory: Memory) -> int:
        assert self.budget_mb is not None
        rows = Memory(distinct(memory.key), memory.value)
        return int(self.budget_mb * 2**20 // (self._element_size(memory) * sum(part.numel() for part in rows)))

    def _element_size(self, memory: Memory) -> int:
        return memory.value.element_size() if self._dtype is None else self._dtype.itemsize

    def _say(self, message: str, kind: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            LOGGER.warning(message)


def _cast(part: Float[Tensor, "O C T h w"], dtype: torch.dtype) -> Float[Tensor, "O C T h w"]:
    """Another precision; rows that are one tensor, expanded, stay so."""
    return distinct(part).to(dtype).expand(part.shape)
