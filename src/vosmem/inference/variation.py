"""How much objects vary in a video, for the threshold of an adaptive memory."""

from collections.abc import Iterator

import torch

from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.memory.policy import Adaptive, Candidate
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.locality import cells
from vosmem.ops.masks import one_hot
from vosmem.ops.padding import pad, padding_to_stride


@torch.inference_mode()
def variations_apart(
    network: MemoryNetwork, policy: Adaptive, sequence: VideoSequence, interval: int, device: torch.device
) -> Iterator[float]:
    """Variation from each `interval`-th frame to the next, by the true masks and the network's keys.

    Pairs of frames without a mask, or without an object, are left out.

    Args:
        network: the network, ready to run on the device.
        policy: how variation is measured.
        sequence: a video with true masks.
        interval: distance of the frames.
        device: where the network is.

    Raises:
        InputError: the interval is below 1.
    """
    if interval < 1:
        raise InputError(f"interval={interval} is not possible: use 1 or more, such as the 5 of STM's memory")
    before: Candidate | None = None
    for t in range(0, len(sequence), interval):
        now = _look(network, sequence, t, device)
        if now is not None and before is not None:
            yield policy.variation(now, before)
        before = now


def _look(network: MemoryNetwork, sequence: VideoSequence, t: int, device: torch.device) -> Candidate | None:
    labels = sequence.labels(t)
    if labels is None or not labels.any():
        return None
    padding = padding_to_stride(labels.shape[0], labels.shape[1])
    frame = pad(sequence.frame(t).to(device).float() / 255, padding)[None]
    masks = pad(one_hot(labels[None].to(device), len(sequence.object_ids)), padding)
    key = network.encode_query(frame).key[0]
    objects = range(1, 1 + len(sequence.object_ids))
    return Candidate(t, True, objects, cells(masks)[0], torch.ones(()), key)
