"""The memory bank: keys and values of the frames in memory."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.memory.buffers import ObjectGroup, distinct
from vosmem.memory.eviction import EVICTIONS, FrameRecords, Ranking
from vosmem.shapes import Memory

LOGGER = logging.getLogger(__name__)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class MemoryBank:
    """Holds keys and values of each object. An object that appears later has no memory of earlier frames.

    At most one frame is temporary (the previous one); it is dropped when the next frame is added.

    Args:
        max_frames: largest number of frames, the temporary one included.
        budget_mb: largest size of keys and values, in 2^20 bytes. To stay below it the bank first evicts frames that
            are not pinned. If the pinned frames and one more do not fit, it converts keys and values to bfloat16 and
            then evicts pinned frames. If two frames of each object do not fit, it exceeds the budget and warns.
        dtype: type of the stored keys and values: `fp32`, `bf16` or `fp16`; None keeps the type of what is added.
        eviction: which frame is evicted at a limit: the `oldest`, a `random` one, the one with the least attention
            (`usage`), or the one most similar to the others (`novelty`). Pinned frames are evicted only if no other
            is left, the oldest first; the first frame of an object and the newest one stay.
        seed: seed of random eviction, 0 or more; the draws depend only on it, the video's name and the frame index.
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
            raise InputError(f"memory.max_frames={max_frames} is too few: use 2 (the first frame and one more) or more")
        if budget_mb is not None and not budget_mb > 0:  # nan neither
            raise InputError(
                f"memory.budget_mb={budget_mb} is not possible: use a number above 0, or null for no limit"
            )
        if dtype is not None and dtype not in DTYPES:
            raise InputError(f"memory.dtype={dtype!r} is unknown: use {', '.join(DTYPES)}, or null to convert nothing")
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
        self._logged: set[str] = set()

    @property
    def num_objects(self) -> int:
        """Number of objects in memory."""
        return sum(group.num_objects for group in self._groups)

    @property
    def frames(self) -> list[int]:
        """Indices of the frames in memory, ascending; those of the objects that appeared first."""
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
        """Add a frame.

        Args:
            frame_index: index of the frame in the video.
            memory: one row for each object, T = 1; rows beyond `num_objects` are new objects.
            keep: False for the temporary frame, which is dropped when the next frame is added.
            pinned: whether the frame is evicted last (the user gave its mask).
            descriptor: result of `ops.novelty.describe`, if frames are ranked by novelty.
        """
        self._drop_temporary()
        if memory.key.shape[0] > self.num_objects:
            self._groups.append(ObjectGroup(memory.key.shape[0] - self.num_objects))
        if pinned:
            self._pinned.add(frame_index)
        if keep:
            self._records.add(frame_index, descriptor)
        start, limit = 0, self._limit(memory, frame_index)
        if self._dtype is not None:  # `_limit` may have set it; expanded rows stay expanded
            memory = Memory(*(distinct(part).to(self._dtype).expand(part.shape) for part in memory))
        for group in self._groups:
            rows = slice(start, start + group.num_objects)
            if limit is not None:
                while len(group.frames) >= limit and self._evict_one(group, frame_index):
                    pass
                group.shrink(limit)
            group.append(frame_index, Memory(memory.key[rows], memory.value[rows]), limit)
            start = rows.stop
        self._temporary = None if keep else frame_index

    def record_usage(self, shares: Sequence[Float[Tensor, "_T"]]) -> None:
        """Record one read: for each group of objects, the share of the attention of each frame in its memory."""
        totals: dict[int, Tensor] = {}
        for group, group_shares in zip(self._groups, shares, strict=True):
            weighted = group_shares * (group.num_objects / self.num_objects)
            for frame, share in zip(group.frames, weighted, strict=True):
                totals[frame] = totals.get(frame, torch.zeros_like(share)) + share
        self._records.record_usage(totals)

    def ranking(self) -> Ranking:
        """Rank the kept frames, for the gate to predict how many stay."""
        return self._records.ranking(self._pinned)

    def evict_to(self, count: int) -> None:
        """Evict frames until `count` kept frames are left (the temporary one not counted), or only pinned ones."""
        evicted = set(self._records.retention_order(self._pinned)[count:]) - self._pinned
        for group in self._groups:
            for frame in evicted.intersection(group.frames):
                group.drop(frame)
        self._records.keep_only(self._held())

    def remove(self, row: int) -> None:
        """Remove an object and its memory; the rows after it move up. An object without a memory is ignored."""
        for group in self._groups:
            if row < group.num_objects:
                group.remove(row)
                break
            row -= group.num_objects
        self._groups = [group for group in self._groups if group.num_objects]
        self._records.keep_only(self._held())
        self._pinned &= self._held()

    def groups(self) -> Iterator[Memory]:
        """Yield the memory of each group of objects, in the order of the objects; T differs between groups."""
        return (group.memory() for group in self._groups)

    def of_object(self, row: int) -> tuple[list[int], Memory]:
        """Return the frame indices of one object and its row of the memory, in one order.

        Raises:
            IndexError: the object has no memory.
        """
        for group in self._groups:
            if row < group.num_objects:
                return list(group.frames), Memory(*(part[row : row + 1] for part in group.memory()))
            row -= group.num_objects
        raise IndexError("the object has no memory")

    def state_dict(self) -> dict[str, Any]:
        """Return the contents as plain values and tensors, which are those of the bank and not copies."""
        return {
            "groups": [group.state_dict() for group in self._groups],
            "records": self._records.state_dict(),
            "pinned": sorted(self._pinned),
            "temporary": self._temporary,
            "dtype": next((name for name, dtype in DTYPES.items() if dtype == self._dtype), None),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the contents by those of a state, whose tensors become the bank's; the limits stay this bank's."""
        self._groups = [ObjectGroup(group["num_objects"]) for group in state["groups"]]
        for own, group in zip(self._groups, state["groups"], strict=True):
            own.load_state_dict(group)
        self._records.load_state_dict(state["records"])
        self._pinned, self._temporary = set(state["pinned"]), state["temporary"]
        self._dtype = None if state["dtype"] is None else DTYPES[state["dtype"]]

    def _drop_temporary(self) -> None:
        for group in self._groups:
            if self._temporary in group.frames:
                group.drop(self._temporary)
        self._temporary = None
        self._pinned &= self._held()

    def _evict_one(self, group: ObjectGroup, new_frame: int) -> bool:
        """Evict the frame that is last in the retention order; return False if none can be evicted."""
        held = set(group.frames) - {new_frame}
        order = [frame for frame in reversed(self._records.retention_order(self._pinned)) if frame in held]
        evictable = [frame for frame in order if frame not in self._pinned]
        evictable = evictable or sorted(held - {min(group.frames)})  # only pinned frames are left
        if not evictable:
            return False
        adjective = EVICTIONS[self._records.eviction]
        start = max(group.frames)
        self._log_once(
            "full", f"the memory is full: from frame {start} on the {adjective} frames are evicted", logging.INFO
        )
        group.drop(evictable[0])
        self._records.keep_only(self._held() | {new_frame})
        return True

    def _held(self) -> set[int]:
        return {frame for group in self._groups for frame in group.frames}

    def _limit(self, memory: Memory, frame_index: int) -> int | None:
        """Largest number of frames, the new one included."""
        limits = [] if self.max_frames is None else [self.max_frames]
        if self.budget_mb is not None:
            needed = 1 + len(self._pinned - {frame_index})
            fitting = self._num_fitting(memory)
            if fitting < needed and self._element_size(memory) > 2:
                self._log_once(
                    "bfloat16", f"{needed} frames do not fit into memory.budget_mb={self.budget_mb}: storing bfloat16"
                )
                self._dtype = torch.bfloat16
                for group in self._groups:
                    group.convert(torch.bfloat16)
                fitting = self._num_fitting(memory)
            if fitting < 2:
                self._log_once(
                    "exceeded", f"two frames do not fit into memory.budget_mb={self.budget_mb}: it is exceeded"
                )
            limits.append(max(fitting, 2))
        return min(limits, default=None)

    def _num_fitting(self, memory: Memory) -> int:
        assert self.budget_mb is not None
        numel = distinct(memory.key).numel() + memory.value.numel()
        return int(self.budget_mb * 2**20 // (self._element_size(memory) * numel))

    def _element_size(self, memory: Memory) -> int:
        return memory.value.element_size() if self._dtype is None else self._dtype.itemsize

    def _log_once(self, kind: str, message: str, level: int = logging.WARNING) -> None:
        if kind not in self._logged:
            self._logged.add(kind)
            LOGGER.log(level, message)
