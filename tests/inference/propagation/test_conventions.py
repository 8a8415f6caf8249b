"""Inference settings of a network apply unless the user sets another value."""

from dataclasses import replace

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.memory.policy import Adaptive, EveryN, First
from vosmem.networks import Conventions
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.attention import MemoryReadConfig
from vosmem.ops.padding import pad_with_colour

CPU = torch.device("cpu")


def square(size=(40, 56), at=8, side=20):
    mask = torch.zeros(size, dtype=torch.uint8)
    mask[at : at + side, at : at + side] = 1
    return mask


def run(network, policy, frames, **settings):
    propagator = Propagator(network, policy, **settings)
    probs, held = [], []
    for t, frame in enumerate(frames):
        probs.append(propagator.step(frame, square(frame.shape[-2:]) if t == 0 else None))
        held.append(propagator.memory_frames)
    return probs, held


def test_the_previous_frame_is_read_by_convention(small_stm, small_stcn):
    frames = torch.rand(4, 3, 40, 56)
    for network, expected in ((small_stm, [0, 2]), (small_stcn, [0])):
        assert run(network, EveryN(interval=5), frames)[1][3] == expected
        assert run(network, EveryN(interval=5, include_last=True), frames)[1][3] == [0, 2]
        assert run(network, EveryN(interval=5, include_last=False), frames)[1][3] == [0]
    assert not Propagator(small_stm, First()).memory.reads_previous
    assert not Propagator(small_stm, Adaptive(threshold=0.5)).memory.reads_previous


@pytest.mark.parametrize(("chosen", "read"), [(None, 20), (0, 0), (3, 3)])
def test_top_k_is_the_convention_unless_set(small_stcn, chosen, read):
    assert Engine(CPU, memory_read=MemoryReadConfig(top_k=chosen)).ready(small_stcn).memory_read.top_k == read


@pytest.mark.parametrize(("short_side", "expected"), [(None, (96, 144)), (64, (64, 96)), (0, (40, 60)), (48, (48, 72))])
def test_segmenters_enlarge_small_frames_by_convention(small_stm, short_side, expected):
    small_stm.conventions = replace(small_stm.conventions, enlarge_to=96)
    segmenter = Segmenter(small_stm, Engine(CPU))
    view = segmenter.propagator(short_side=short_side).views.select((40, 60), square((40, 60)), 1, None)
    assert view.size == expected
    assert Propagator(small_stm, First()).views.select((40, 60), None, 0, None).size == (40, 60)


@pytest.mark.parametrize(("enlarge_to", "short_side"), [(8, None), (480, 240)])
def test_impossible_enlargement_is_an_error(enlarge_to, short_side):
    with pytest.raises(InputError, match=f"enlarge_to={enlarge_to} is not possible"):
        Conventions(enlarge_to=enlarge_to, short_side=short_side)


def test_sdpa_is_refused_for_a_network_with_top_k(small_stcn):
    with pytest.raises(InputError, match=r"top_k=20 does not: use method=matmul"):
        Engine(CPU, memory_read=MemoryReadConfig(method="sdpa")).ready(small_stcn)
    assert Engine(CPU, memory_read=MemoryReadConfig(method="sdpa", top_k=0)).ready(small_stcn).memory_read.top_k == 0


def test_training_reads_all_cells(small_stcn):
    frames, masks = torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    small_stcn.memory_read = MemoryReadConfig(top_k=1)
    memory, query = small_stcn.encode_memory(frames, masks), small_stcn.encode_query(torch.rand(1, 3, 64, 96))
    nearest, all_cells = small_stcn.eval().read(query, memory), small_stcn.train().read(query, memory)
    small_stcn.memory_read = MemoryReadConfig(top_k=0)
    torch.testing.assert_close(all_cells, small_stcn.eval().read(query, memory))
    assert not torch.allclose(nearest, all_cells)


def test_a_border_of_the_mean_colour_is_zero_after_normalisation(small_stm, small_stcn):
    frame, sides = torch.rand(3, 40, 56), (4, 4, 4, 4)
    trunk = small_stcn.trunks()[0]
    padded = pad_with_colour(frame, sides, small_stcn.border)
    normalised = (padded - trunk.mean[0]) / trunk.std[0]
    assert not normalised[:, :4].any() and not normalised[..., -4:].any()
    assert torch.equal(padded[:, 4:-4, 4:-4], frame)
    assert small_stm.border is None
    black = pad_with_colour(frame, sides, small_stm.border)
    assert not black[:, :4].any()


def test_the_border_keeps_its_estimate_only_by_convention(small_stcn):
    frames = torch.rand(2, 3, 40, 56)
    for keeps in (True, False):
        small_stcn.conventions = replace(small_stcn.conventions, border_masks=keeps)
        propagator = Propagator(small_stcn, EveryN())
        propagator.step(frames[0], square())
        assert not propagator._last.masks[..., :4, :].any()  # given masks have none
        probs = propagator.step(frames[1])
        masks = propagator._last.masks
        torch.testing.assert_close(masks[0, 0, 4:-4, 4:-4], probs[1])
        assert bool(masks[..., :4, :].any()) == keeps


def test_a_given_mask_passes_soft_aggregation_once(small_stcn):
    """Soft aggregation sharpens the estimate of the pixels outside the mask."""
    frames, none = torch.rand(2, 3, 40, 56), torch.zeros(40, 56, dtype=torch.uint8)
    found = {}
    for aggregates in (True, False):
        small_stcn.conventions = replace(small_stcn.conventions, aggregate_given=aggregates)
        propagator = Propagator(small_stcn, EveryN())
        propagator.step(frames[0], square())
        found[aggregates] = propagator.step(frames[1], none)
    expected = soft_aggregate(found[False][None, 1:]).softmax(dim=1)[0]
    torch.testing.assert_close(found[True], expected)
    assert not torch.allclose(found[True], found[False])


def test_short_side_is_the_convention_unless_set(small_stcn):
    small_stcn.conventions = replace(small_stcn.conventions, short_side=32)
    frame = torch.rand(3, 64, 96)
    for chosen, cells in ((None, (2, 3)), (48, (3, 5)), (0, (4, 6))):
        propagator = Propagator(small_stcn, EveryN(), chosen)
        propagator.step(frame, square((64, 96)))
        propagator.step(frame)
        assert next(propagator.bank.groups()).key.shape[-2:] == cells


def test_a_segmenter_zooms_by_convention(small_stm, small_stcn):
    assert Segmenter(small_stcn, Engine(CPU)).propagator().views.zoom.most == 1
    assert Segmenter(small_stcn, Engine(CPU)).propagator(zoom=2.0).views.zoom.most == 2
    assert Segmenter(small_stm, Engine(CPU)).propagator().views.zoom.most == 2


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"short_side": 8}, {"zoom": 0.5}, {"border": "white"}])
def test_impossible_conventions(wrong):
    with pytest.raises(InputError, match=f"conventions.{next(iter(wrong))}"):
        Conventions(**wrong)


@pytest.mark.parametrize(
    ("size", "count"), [((48, 64), 24), pytest.param((480, 854), 60, marks=pytest.mark.slow)], ids=["small", "480p"]
)
def test_a_budget_bounds_the_memory_and_changes_nothing_below_the_bound(small_stcn, size, count):
    network = Engine(CPU).ready(small_stcn)
    frames = torch.rand(8, 3, *size)
    free, bounded = Propagator(network, EveryN(interval=2)), None
    mask = square(size, at=8, side=24)
    peaks, equal = [], []
    for t in range(count):
        given = mask if t == 0 else None
        expected = free.step(frames[t % 8], given)
        if bounded is None:  # a budget for six frames, by the size of the first
            cells = -(-size[0] // 16) * -(-size[1] // 16)
            budget = 6.5 * 4 * cells * (8 + 16) / 2**20
            bounded = Propagator(network, EveryN(interval=2, budget_mb=budget))
        found = bounded.step(frames[t % 8], given)
        peaks.append(bounded.memory_bytes)
        if len(bounded.memory_frames) == len(free.memory_frames):
            equal.append(torch.equal(found, expected))
    assert max(peaks) <= budget * 2**20 < free.memory_bytes
    assert len(equal) >= 10 and all(equal)
