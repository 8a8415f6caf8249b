"""The contents of the memory at each frame of a video, and the policy's decisions."""

from typing import NamedTuple

import torch

from vosmem.data.videos import VideoSequence
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.tracing import Tracer
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.memory.policy import Adaptive, Candidate, MemoryPolicy
from vosmem.networks.network import MemoryNetwork


class Moment(NamedTuple):
    """The memory while one frame is segmented, and the policy's decision about that frame."""

    t: int  # index of the frame in the video
    held: list[int]  # indices of the frames in memory, ascending
    nbytes: int  # bytes of the memory
    mask_given: bool  # whether the user gave a mask of the frame
    kept: bool  # whether the frame was kept; false for the last frame of a video, about which nothing is decided
    variation: float | None = None  # of the objects since the last kept frame, in [0, 1]; None if not measured
    stay: float | None = None  # number of frames that the gate left in memory; None if it was not asked


class _MemoryTracer(Tracer):
    def __init__(self, policy: MemoryPolicy) -> None:
        self.policy = policy
        self.decisions: dict[int, tuple[bool, bool, float | None, float | None]] = {}  # last fields of `Moment`

    def on_memorise(
        self, candidate: Candidate, last_kept: Candidate | None, kept: bool, gate_count: float | None
    ) -> None:
        variation = None
        if isinstance(self.policy, Adaptive) and last_kept is not None:
            variation = self.policy.variation(candidate, last_kept)
        self.decisions[candidate.t] = candidate.mask_given, kept, variation, gate_count


def trace_memory(
    sequence: VideoSequence,
    network: MemoryNetwork,
    policy: MemoryPolicy,
    device: torch.device,
    short_side: int | None = None,
    zoom: Zoom | None = None,
) -> list[Moment]:
    """Segment a video, and record what is in memory and what the policy decides, from the first frame with a mask on.

    The network is in eval mode and on the device; `short_side` and `zoom` are those of `Propagator`.
    """
    propagator = Propagator(network, policy, short_side, zoom=zoom, video=sequence.name)
    propagator.tracer = tracer = _MemoryTracer(policy)
    held = {
        segmented.t: (propagator.memory_frames, propagator.memory_bytes)
        for segmented in segment_sequence(sequence, propagator, device)
        if segmented.seconds is not None
    }
    start = min(held, default=0)  # the propagator counts frames from the first one with a mask
    undecided = (False, False, None, None)  # the last frame
    return [
        Moment(t, [start + index for index in frames], nbytes, *tracer.decisions.get(t - start, undecided))
        for t, (frames, nbytes) in held.items()
    ]
