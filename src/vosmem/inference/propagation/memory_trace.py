"""What the memory holds while a video is segmented."""

import torch

from vosmem.data.videos import VideoSequence
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.memory.policy import MemoryPolicy
from vosmem.memory.trace import Decision, Moment, WatchedPolicy
from vosmem.networks.network import MemoryNetwork


def trace_memory(
    sequence: VideoSequence,
    network: MemoryNetwork,
    policy: MemoryPolicy,
    device: torch.device,
    short_side: int | None = None,
) -> list[Moment]:
    """Segment a video, and note for each frame what was in memory and what was decided.

    Args:
        sequence: the video.
        network: in eval mode, on the device.
        policy: which frames stay.
        device: where the network is.
        short_side: as of `Propagator`.

    Returns:
        a moment for each frame from the first with a mask on.

    Raises:
        InputError: as of `Propagator`.
    """
    watched = WatchedPolicy(policy=policy, gated=policy.gated)
    propagator = Propagator(network, watched, short_side, video=sequence.name)
    held: dict[int, tuple[list[int], int]] = {}
    stay: dict[int, float] = {}

    def note(_gate: object, _seen: object, count: torch.Tensor) -> None:
        stay[max(watched.decisions)] = float(count)  # it is asked after a frame was kept

    hook = None if network.gate is None else network.gate.register_forward_hook(note)
    try:
        for found in segment_sequence(sequence, propagator, device):
            if found.seconds is not None:
                held[found.t] = propagator.memory_frames, propagator.memory_bytes
    finally:
        if hook is not None:
            hook.remove()
    start = min(held, default=0)
    undecided = Decision(mask_given=False, kept=False, variation=None)
    # The policy counts from the first frame that it was shown.
    decided = {start + t: decision for t, decision in watched.decisions.items()}
    return [
        Moment(t, [start + place for place in frames], nbytes, *decided.get(t, undecided), stay.get(t - start))
        for t, (frames, nbytes) in held.items()
    ]
