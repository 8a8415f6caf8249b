"""Flip and multi-scale test-time augmentation, in one pass over the video."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import MemoryPolicy
from vosmem.networks.network import MemoryNetwork


class Ensemble:
    """Averages the probabilities of propagators that see one video at several sizes or mirrored.

    Each member has a memory of its own estimates; `flipped` says of each whether it sees the frames mirrored. An
    ensemble has `step`, `remove`, `objects` and the memory counts of a `Propagator`, so `segment_frames` runs both.
    """

    def __init__(self, members: Sequence[Propagator], flipped: Sequence[bool]):
        self.members, self.flipped = list(members), list(flipped)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all memories."""
        return sum(member.memory_bytes for member in self.members)

    @property
    def memory_frames(self) -> list[int]:
        """Frames in the first memory; a budget may evict more frames from the memories of larger members."""
        return self.members[0].memory_frames

    @property
    def num_kept(self) -> int:
        """Number of frames that the first member has kept so far."""
        return self.members[0].num_kept

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the followed objects."""
        return self.members[0].objects

    def remove(self, object_id: int) -> None:
        """Remove an object from all members, as in `Propagator.remove`."""
        for member in self.members:
            member.remove(object_id)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all members."""
        return {"members": [member.state_dict() for member in self.members]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the frame of a state, as in `Propagator.load_state_dict`."""
        for member, own in zip(self.members, state["members"], strict=True):
            member.load_state_dict(own)

    def step(
        self,
        frame: Float[Tensor, "3 H W"],
        mask: Shaped[Tensor, "H_mask W_mask"] | None = None,
        objects: Sequence[int] | None = None,
        *,
        absent: Sequence[int] = (),
    ) -> Float[Tensor, "K1 H W"]:
        """Segment the next frame, as in `Propagator.step`."""
        total: Tensor | None = None
        for member, flipped in zip(self.members, self.flipped, strict=True):
            seen = None if mask is None else _turned(mask, flipped)
            probs = _turned(member.step(_turned(frame, flipped), seen, objects, absent=absent), flipped)
            total = probs if total is None else total + probs
        assert total is not None  # there is at least one member
        return total / len(self.members)


def make_propagator(
    network: MemoryNetwork,
    policy: MemoryPolicy,
    short_side: int | None = None,
    enlarge_to: int = 0,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    zoom: Zoom | None = None,
    whole_masks: bool = False,
    video: str = "",
) -> Propagator | Ensemble:
    """Make a `Propagator`, or an ensemble of one for each scale, and with `flip` one more for mirrored frames."""
    views = [(scale, flipped) for scale in scales for flipped in ((False, True) if flip else (False,))]
    members = [
        Propagator(network, policy, short_side, enlarge_to, scale, zoom, whole_masks, video) for scale, _ in views
    ]
    return members[0] if len(members) == 1 else Ensemble(members, [flipped for _, flipped in views])


def _turned(image: Shaped[Tensor, "*C H W"], flipped: bool) -> Shaped[Tensor, "*C H W"]:
    return torch.flip(image, dims=(-1,)) if flipped else image
