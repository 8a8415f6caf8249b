"""Which frames a full memory evicts: the records of the frames in memory, and the order in which they stay."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.ops.novelty import rank

# Eviction policies, with the adjective of the evicted frames in the log.
EVICTIONS = {"oldest": "oldest", "random": "random", "usage": "least used", "novelty": "least novel"}


class Ranking(NamedTuple):
    """Frames in memory, in the order in which they should stay."""

    frames: list[int]  # frame indices
    num_fixed: int  # number of leading frames that always stay: those with a given mask, and the newest
    novelty: Float[Tensor, "1 T"]  # distance of each frame from the frames ranked before it
    usage: Float[Tensor, "1 T"]  # mean share of the attention that each frame got, in [0, 1]
    age: Float[Tensor, "1 T"]  # number of frames kept since


class _FrameRecord:
    def __init__(self, number: int, descriptor: Float[Tensor, "D"] | None) -> None:
        self.number, self.descriptor = number, descriptor
        self.share: Tensor | float = 0.0
        self.reads = 0


class FrameRecords:
    """Records of the kept frames, from which the retention order follows; seed and video seed `random`."""

    def __init__(self, eviction: str, seed: int = 0, video: str = "") -> None:
        self.eviction = eviction
        # A digest and not `hash`, which differs between processes.
        self._seeds = (seed, int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "big"))
        self._records: dict[int, _FrameRecord] = {}
        self._num_added = 0

    def add(self, frame: int, descriptor: Float[Tensor, "D"] | None) -> None:
        """Add a frame that is kept."""
        self._num_added += 1
        self._records[frame] = _FrameRecord(self._num_added, descriptor)

    def keep_only(self, frames: set[int]) -> None:
        """Delete the records of all other frames."""
        self._records = {frame: record for frame, record in self._records.items() if frame in frames}

    def record_usage(self, shares: Mapping[int, Float[Tensor, ""]]) -> None:
        """Add the share of the attention that each frame got in one read."""
        for frame in self._records.keys() & shares.keys():
            self._records[frame].share = self._records[frame].share + shares[frame]
            self._records[frame].reads += 1

    def retention_order(self, pinned: set[int]) -> list[int]:
        """Order the frames by how long they should stay: pinned frames, the newest, then the rest by `eviction`."""
        if self.eviction == "novelty":
            return self.ranking(pinned).frames
        fixed, rest = self._fixed_and_rest(pinned)
        usages = self._usages(rest) if self.eviction == "usage" else {}
        worth = {
            "oldest": lambda frame: frame,
            "usage": lambda frame: usages[frame],
            # Each frame has one draw for the whole video, so the frames that stay are a random sample of all.
            "random": lambda frame: np.random.default_rng((*self._seeds, frame)).random(),
        }[self.eviction]
        return fixed + sorted(rest, key=worth, reverse=True)

    def ranking(self, pinned: set[int]) -> Ranking:
        """Rank the frames by novelty; every frame must have a descriptor."""
        fixed, rest = self._fixed_and_rest(pinned)
        frames = fixed + rest
        descriptors = [d for frame in frames if (d := self._records[frame].descriptor) is not None]
        assert len(descriptors) == len(frames)
        order, novelty = rank(torch.stack(descriptors)[None], len(fixed))
        ranked = [frames[index] for index in order[0].tolist()]
        usages = self._usages(ranked)
        usage = [usages[frame] for frame in ranked]
        age = [float(self._num_added - self._records[frame].number) for frame in ranked]
        return Ranking(ranked, len(fixed), novelty, novelty.new_tensor([usage]), novelty.new_tensor([age]))

    def state_dict(self) -> dict[str, Any]:
        """Return the records as tensors and plain values."""
        records = {frame: (r.number, r.descriptor, r.share, r.reads) for frame, r in self._records.items()}
        return {"num_added": self._num_added, "records": records}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the records by those of a state."""
        self._num_added, self._records = state["num_added"], {}
        for frame, (number, descriptor, share, reads) in state["records"].items():
            record = self._records[frame] = _FrameRecord(number, descriptor)
            record.share, record.reads = share, reads

    def _usages(self, frames: list[int]) -> dict[int, float]:
        """Return the mean share of each frame; the device is asked once."""
        usages = dict.fromkeys(frames, 0.0)
        read = [(frame, share) for frame in frames if isinstance(share := self._records[frame].share, Tensor)]
        if read:
            shares = torch.stack([share for _, share in read]).tolist()
            usages |= {
                frame: share / self._records[frame].reads for (frame, _), share in zip(read, shares, strict=True)
            }
        return usages

    def _fixed_and_rest(self, pinned: set[int]) -> tuple[list[int], list[int]]:
        fixed = sorted(self._records.keys() & pinned)
        newest = max(self._records)
        fixed += [newest] if newest not in pinned else []
        return fixed, sorted(self._records.keys() - set(fixed))
