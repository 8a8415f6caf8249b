"""Flip and multi-scale test-time augmentation, in one pass over the video."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import MemoryPolicy
from vosmem.networks.network import MemoryNetwork


class Ensemble:
    """Propagators that see the same video at other sizes or mirrored; their probabilities are averaged.

    Each keeps its own memory of its own estimates.

    Args:
        members: the propagators.
        flipped: for each, whether it sees the frames mirrored left to right.
    """

    def __init__(self, members: Sequence[Propagator], flipped: Sequence[bool]):
        self.members, self.flipped = list(members), list(flipped)

    @property
    def memory_bytes(self) -> int:
        """Bytes that all of them remember."""
        return sum(member.memory_bytes for member in self.members)

    @property
    def memory_frames(self) -> list[int]:
        """As of `Propagator`; all remember the same frames unless a budget makes larger ones forget."""
        return self.members[0].memory_frames

    @property
    def num_kept(self) -> int:
        """As of `Propagator`, of the first."""
        return self.members[0].num_kept

    @property
    def objects(self) -> tuple[int, ...]:
        """As of `Propagator`."""
        return self.members[0].objects

    def remove(self, object_id: int) -> None:
        """As `Propagator.remove`."""
        for member in self.members:
            member.remove(object_id)

    def step(
        self,
        frame: Float[Tensor, "3 H W"],
        mask: Shaped[Tensor, "H_mask W_mask"] | None = None,
        objects: Sequence[int] | None = None,
        *,
        absent: Sequence[int] = (),
    ) -> Float[Tensor, "K1 H W"]:
        """As `Propagator.step`."""
        total: Tensor | None = None
        for member, flipped in zip(self.members, self.flipped, strict=True):
            seen = None if mask is None else _turned(mask, flipped)
            probs = _turned(member.step(_turned(frame, flipped), seen, objects, absent=absent), flipped)
            total = probs if total is None else total + probs
        assert total is not None  # there is at least one
        return total / len(self.members)


def make_propagator(
    network: MemoryNetwork,
    policy: MemoryPolicy,
    short_side: int | None = None,
    resize: str = "down",
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    zoom: Zoom | None = None,
    whole_masks: bool = False,
    video: str = "",
) -> Propagator | Ensemble:
    """A propagator, or an ensemble where several scales or mirrored frames are asked for.

    Args:
        network: the network, in eval mode, on its device.
        policy: which frames stay in memory.
        short_side: as of `Propagator`.
        resize: as of `Propagator`.
        scales: factors of the size that this gives; one propagator each.
        flip: whether each of them has a mirrored twin.
        zoom: as of `Propagator`.
        whole_masks: as of `Propagator`.
        video: as of `Propagator`.

    Raises:
        InputError: as of `Propagator`.
    """
    views = [(scale, flipped) for scale in scales for flipped in ((False, True) if flip else (False,))]
    members = [Propagator(network, policy, short_side, resize, scale, zoom, whole_masks, video) for scale, _ in views]
    return members[0] if len(members) == 1 else Ensemble(members, [flipped for _, flipped in views])


def _turned(picture: Shaped[Tensor, "*C H W"], flipped: bool) -> Shaped[Tensor, "*C H W"]:
    return torch.flip(picture, dims=(-1,)) if flipped else picture
