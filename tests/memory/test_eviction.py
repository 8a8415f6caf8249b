"""Eviction: which frames each policy evicts, that limits hold, and that pinned frames are evicted last."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.memory.bank import MemoryBank
from vosmem.memory.eviction import EVICTIONS, FrameRecords
from vosmem.memory.policy import Adaptive, EveryN
from vosmem.networks import REMN, STM
from vosmem.shapes import Memory

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}


def entry(num_objects=1):
    return Memory(torch.zeros(num_objects, 2, 1, 1, 3), torch.zeros(num_objects, 4, 1, 1, 3))


def direction(angle):
    """A descriptor that turns by a tenth of a radian for each unit."""
    turned = torch.tensor(angle / 10)
    return torch.stack([turned.cos(), turned.sin()])


def filled(eviction, angles, max_frames=None, pinned=(0,)):
    bank = MemoryBank(max_frames=max_frames, eviction=eviction)
    for t, angle in enumerate(angles):
        bank.add(t, entry(), keep=True, pinned=t in pinned, descriptor=direction(angle))
    return bank


def test_the_oldest_are_evicted():
    assert filled("oldest", range(8), max_frames=4).frames == [0, 5, 6, 7]


def test_the_least_novel_are_evicted():
    """Three appearances, one of them often: one frame of each stays, and the newest."""
    bank = filled("novelty", [0, 8, 0, 0, 16, 0, 0, 0], max_frames=4)
    assert {0, 1, 4, 7} == set(bank.frames)


def test_the_least_used_are_evicted():
    bank = filled("usage", range(5))
    bank.record_usage([torch.tensor([0.1, 0.05, 0.5, 0.05, 0.3])])
    bank.record_usage([torch.tensor([0.1, 0.25, 0.4, 0.05, 0.2])])
    bank.evict_to(4)
    assert bank.frames == [0, 1, 2, 4]
    bank.evict_to(3)
    assert bank.frames == [0, 2, 4]


def random_frames(seed, video, num_frames=40):
    bank = EveryN(eviction="random", seed=seed, max_frames=8).make_bank(video)
    for t in range(num_frames):
        bank.add(t, entry(), keep=True, pinned=t == 0)
    return bank.frames


def test_random_eviction_keeps_an_even_sample_of_all_frames():
    counts = torch.zeros(60)
    for draw in range(40):
        counts[random_frames(draw % 5, f"video {draw // 5}", 60)] += 1
    early, late = counts[1:30].mean(), counts[30:59].mean()
    assert counts[0] == 40 and 0.6 < early / late < 1.6


def test_random_eviction_depends_on_seed_video_and_frame():
    first, second = random_frames(0, "camel"), random_frames(0, "libby")
    assert random_frames(1, "camel") != first and second != first
    assert random_frames(0, "libby") == second and random_frames(0, "camel") == first  # independent of earlier banks


def test_another_process_draws_the_same_random_frames():
    """Text hashes differ between processes; the draws must not."""
    program = (
        "from vosmem.memory.eviction import FrameRecords\n"
        "records = FrameRecords('random', 5, 'camel')\n"
        "for t in range(12): records.add(t, None)\n"
        "print(records.retention_order({0}))"
    )
    environment = {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    arguments = [sys.executable, "-c", program]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    records = FrameRecords("random", 5, "camel")
    for t in range(12):
        records.add(t, None)
    assert done.stdout == f"{records.retention_order({0})}\n"


def test_a_seed_below_0_is_refused():
    with pytest.raises(InputError, match=r"memory\.seed=-1"):
        MemoryBank(eviction="random", seed=-1)


def test_mean_usage_does_not_favour_older_frames():
    bank = MemoryBank(eviction="usage")
    for t in range(3):
        bank.add(t, entry(), keep=True, pinned=t == 0)
        bank.record_usage([torch.full((t + 1,), 1 / (t + 1))])
    bank.add(3, entry(), keep=True)
    bank.evict_to(3)
    assert bank.frames == [0, 1, 3]  # 1 was read twice, half and a third; 2 once, a third


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(EVICTIONS)),
    st.integers(2, 6),
    st.lists(st.integers(0, 62), min_size=1, max_size=20),
    st.data(),
)
def test_the_limit_holds_and_pinned_frames_are_evicted_last(eviction, cap, angles, data):
    pinned = {0, *data.draw(st.sets(st.integers(0, len(angles) - 1), max_size=3))}
    bank = filled(eviction, angles, cap, pinned)
    assert len(bank) <= cap and {0, len(angles) - 1} <= set(bank.frames)
    if len(pinned) < cap:
        assert pinned <= set(bank.frames)
        bank.evict_to(1)
        assert set(bank.frames) == pinned
        assert bank.ranking().frames == sorted(pinned)
    else:
        assert set(bank.frames) <= {*pinned, len(angles) - 1}


def test_late_objects_keep_their_frames():
    bank = MemoryBank(max_frames=4, eviction="novelty")
    for t in range(9):
        objects = 1 if t < 5 else 3
        bank.add(t, entry(objects), keep=True, pinned=t in (0, 5), descriptor=direction(7 * t))
    assert [memory.key.shape[2] for memory in bank.groups()] == [4, 4]
    bank.evict_to(3)
    first, late = bank.groups()
    assert {0, 5, 8} == set(bank.frames) and first.key.shape[2] == 3 and late.key.shape[2] == 2
    bank.remove(0)
    assert bank.ranking().frames[0] == 5


def test_a_temporary_frame_is_not_ranked():
    bank = filled("novelty", [0, 5, 9])
    bank.add(3, entry(), keep=False, descriptor=direction(3))
    assert sorted(bank.ranking().frames) == [0, 1, 2]
    bank.evict_to(2)
    assert bank.frames == [0, 2, 3]


def test_an_unknown_eviction_policy_is_refused():
    with pytest.raises(InputError, match="oldest, random, usage, novelty"):
        MemoryBank(eviction="dullest")


def gated(name, bias):
    torch.manual_seed(0)
    if name == "stm":
        network = STM(backbone="resnet10", **WIDTHS, gate=True)
    else:
        network = REMN(backbone="resnet10", **WIDTHS, value_weights="none", gate=True)
    torch.nn.init.constant_(network.gate.stays.bias, bias)
    return network.eval()


def held(network, policy, frames, given=(0,)):
    propagator = Propagator(network, policy)
    mask = torch.zeros(32, 48, dtype=torch.uint8)
    mask[8:24, 8:30] = 1
    found = []
    for t, frame in enumerate(frames):
        propagator.step(frame, mask if t in given else None)
        found.append(propagator.memory_frames)
    return found[1:]


@pytest.mark.parametrize("name", ["stm", "remn"])
@pytest.mark.parametrize("eviction", sorted(EVICTIONS))
def test_a_gate_that_keeps_all_changes_nothing_and_one_that_keeps_none_leaves_the_fixed_frames(name, eviction):
    frames = torch.rand(9, 3, 32, 48)
    plain = held(gated(name, 2.0), EveryN(interval=2), frames)
    assert held(gated(name, 50.0), EveryN(interval=2, eviction=eviction, gated=True), frames) == plain
    least = held(gated(name, -50.0), EveryN(interval=2, eviction=eviction, gated=True), frames, given=(0, 3))
    assert least[-1] == [0, 3, 6, 7]  # given, given, last kept, previous


def test_a_network_without_a_gate_is_refused(small_remn):
    with pytest.raises(InputError, match="no gate"):
        Propagator(small_remn, EveryN(gated=True))


def test_attention_usage_reaches_the_bank(small_network):
    """Every kept frame has a share of the attention."""
    frames = torch.rand(6, 3, 32, 48)
    frames[2] = frames[0]
    propagator = Propagator(small_network, EveryN(interval=1, eviction="usage"))
    mask = torch.zeros(32, 48, dtype=torch.uint8)
    mask[8:24, 8:30] = 1
    for t, frame in enumerate(frames):
        propagator.step(frame, mask if t == 0 else None)
    records = propagator.bank._records
    usage = records._usages(list(records._records))
    assert all(0 < share <= 1 for share in usage.values())


def test_the_limit_holds_for_an_adaptive_policy_with_gate_and_novelty():
    policy = Adaptive(
        threshold=0.0, least_certainty=0.0, least_interval=1, max_frames=4, eviction="novelty", gated=True
    )
    for network in (gated("remn", 50.0), gated("stm", 50.0)):
        frames = held(network, policy, torch.rand(12, 3, 32, 48))
        assert max(map(len, frames)) <= 4 and all(0 in own for own in frames)
