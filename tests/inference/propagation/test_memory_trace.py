"""The memory trace equals the memory's own behaviour."""

import pytest
import torch

from tests.golden_video import video
from vosmem.data.videos import VideoSequence
from vosmem.inference.propagation.memory_trace import trace_memory
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.memory.policy import Adaptive, EveryN, First
from vosmem.networks import REMN

CPU = torch.device("cpu")


class Video(VideoSequence):
    """Eight frames of one object, with a given mask in frame `start`."""

    def __init__(self, start=0):
        frames, labels = video(8, 32, 48, 1, seed=0)
        self.frames, self.given, self.start = torch.tensor(frames).permute(0, 3, 1, 2), torch.tensor(labels), start
        self.name, self.object_ids, self.frame_names = "video", (1,), [str(t) for t in range(8)]

    def frame(self, t):
        return self.frames[t]

    def labels(self, t):
        return self.given[t]

    def given_mask(self, t):
        return self.given[t] if t == self.start else None


@pytest.fixture
def gated():
    widths = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8}
    return REMN(backbone="resnet18", **widths, weights="none", value_weights="none", gate=True).eval()


POLICIES = [
    First(),
    EveryN(interval=3),
    EveryN(interval=1, max_frames=4, eviction="usage"),
    Adaptive(threshold=0.2, least_certainty=0.0, include_last=True),
    EveryN(interval=2, gated=True, eviction="novelty", max_frames=4),
]


@pytest.mark.parametrize("policy", POLICIES, ids=["first", "every_3", "least_used", "adaptive", "gated"])
@pytest.mark.parametrize("start", [0, 2])
def test_tracing_changes_nothing(gated, policy, start):
    moments = trace_memory(Video(start), gated, policy, CPU)
    propagator = Propagator(gated, policy)
    seen = [
        (found.t, [start + t for t in propagator.memory_frames], propagator.memory_bytes)
        for found in segment_sequence(Video(start), propagator, CPU)
        if found.seconds is not None
    ]
    assert [(m.t, m.held, m.nbytes) for m in moments] == seen
    assert sum(m.kept for m in moments) == propagator.num_kept
    assert [m.t for m in moments if m.mask_given] == [start]


def test_kept_frames_are_in_memory_from_the_next_frame_on(gated):
    moments = trace_memory(Video(), gated, EveryN(interval=3), CPU)
    assert [m.t for m in moments if m.kept] == [0, 3, 6]
    assert all(set(m.held) >= {t for t in (0, 3, 6) if t < m.t} for m in moments)
    assert all(m.variation is None and m.stay is None for m in moments)


def test_gate_counts_and_variations_are_recorded(gated):
    gate = EveryN(interval=2, gated=True, eviction="novelty", max_frames=4)
    stay = {m.t: m.stay for m in trace_memory(Video(), gated, gate, CPU) if m.stay is not None}
    assert stay and all(0 < count <= 4 for count in stay.values())
    assert not gated.gate._forward_hooks  # nothing stays behind
    moments = trace_memory(Video(), gated, Adaptive(threshold=0.2, least_certainty=0.0), CPU)
    assert moments[0].variation is None and all(0 <= m.variation <= 1 for m in moments[1:-1])
