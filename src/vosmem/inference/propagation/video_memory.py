"""The memory of one video: which frames are memorised, how they are read, and when the gate evicts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.tracing import Tracer
from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.window import Window
from vosmem.memory.policy import Candidate, MemoryPolicy
from vosmem.networks.network import MemoryNetwork, frame_shares
from vosmem.ops.locality import union
from vosmem.ops.novelty import describe
from vosmem.shapes import Query


class SegmentedView(NamedTuple):
    """A segmented frame at the network's size, held until the next frame, when it may be memorised."""

    frame_index: int  # index of the frame in the video
    view: View  # the part of the frame that the network saw
    image: Float[Tensor, "1 3 H2 W2"]  # RGB in [0, 1], padded
    masks: Float[Tensor, "1 K H2 W2"]  # soft masks of the objects, padded
    cells: Float[Tensor, "1 K h w"]  # the masks averaged over memory cells
    certainty: Float[Tensor, ""]  # mean probability of the most likely object
    mask_given: bool  # whether the user gave a mask of the frame
    key: Float[Tensor, "Ck h w"] | None  # key of the frame as a query, if the policy needs keys
    query: Query | None  # the encoded frame, if `encode_memory` uses it (its features are large)

    def state_dict(self) -> dict[str, Any]:
        """Return the frame as tensors and plain values."""
        view = [tuple(part) for part in self.view]
        return {**self._asdict(), "view": view, "query": None if self.query is None else self.query._asdict()}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "SegmentedView":
        """Make the frame of a state."""
        window, frame, size, padding = state["view"]
        view = View(Window(*window), tuple(frame), tuple(size), tuple(padding))
        return cls(**{**state, "view": view, "query": None if state["query"] is None else Query(**state["query"])})


class VideoMemory:
    """Memorises the frames that the policy keeps, reads them, and evicts by the network's gate.

    Limits of size are the bank's own (`MemoryBank`).

    Attributes:
        reads_previous: whether the previous frame is read even if the policy does not keep it.
        num_kept: number of frames kept so far, evicted ones included.

    Raises:
        InputError: the policy asks for a gate that the network does not have.
    """

    def __init__(self, network: MemoryNetwork, policy: MemoryPolicy, video: str) -> None:
        if policy.gated and network.gate is None:
            raise InputError(
                "this network has no gate, which memory.gated=true needs: use memory=every_n or memory=adaptive, or "
                "train a gate with phase=gate"
            )
        self.network, self.policy, self.bank = network, policy, policy.make_bank(video)
        default = network.conventions.include_last
        self.reads_previous = default if policy.reads_previous is None else policy.reads_previous
        self.num_kept = 0
        self._last_kept: Candidate | None = None

    def memorise(self, frame: SegmentedView, objects: Sequence[int], tracer: Tracer | None) -> None:
        """Memorise the previous frame if the policy keeps it or the current frame reads it."""
        if not objects:
            return
        candidate = Candidate(frame.frame_index, frame.mask_given, objects, frame.cells[0], frame.certainty, frame.key)
        last_kept, gate_count = self._last_kept, None
        keep = self.policy.keeps(candidate, last_kept)
        if keep or self.reads_previous:
            entry = self.network.encode_memory(frame.image, frame.masks, query=frame.query)
            descriptor = None if frame.key is None else describe(frame.key[None], union(frame.cells))[0]
            self.bank.add(frame.frame_index, entry, keep=keep, pinned=frame.mask_given, descriptor=descriptor)
        if keep:
            self._last_kept, self.num_kept = candidate, self.num_kept + 1
            if self.policy.gated:
                gate_count = self._evict()
        if tracer is not None:
            tracer.on_memorise(candidate, last_kept, keep, gate_count)

    def read(self, query: Query) -> Float[Tensor, "K Cv h w"]:
        """Read the memory of every object for the cells of a frame."""
        readouts = [self.network.read(query, memory) for memory in self.bank.groups()]
        if self.policy.tracks_usage:
            shares = (frame_shares(self.network, query, memory) for memory in self.bank.groups())
            self.bank.record_usage([of_objects.mean(dim=0) for of_objects in shares])
        return torch.cat(readouts)

    def state_dict(self) -> dict[str, Any]:
        """Return the memory as tensors and plain values."""
        last_kept = None if self._last_kept is None else self._last_kept._asdict()
        return {"bank": self.bank.state_dict(), "num_kept": self.num_kept, "last_kept": last_kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the memory by that of a state."""
        self.bank.load_state_dict(state["bank"])
        self.num_kept = state["num_kept"]
        self._last_kept = None if state["last_kept"] is None else Candidate(**state["last_kept"])

    def _evict(self) -> float | None:
        """Evict the lowest-ranked frames, down to the number that the gate predicts."""
        ranking = self.bank.ranking()
        if self.network.gate is None or len(ranking.frames) <= ranking.num_fixed:
            return None
        count = float(self.network.gate(ranking.novelty, ranking.usage, ranking.age, ranking.num_fixed))
        self.bank.evict_to(round(count))
        return count
