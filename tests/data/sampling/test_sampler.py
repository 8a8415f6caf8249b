"""The order of samples: a function of seed and epoch, for any number of processes and after any restart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosmem.data.sampling.sampler import ClipSampler, SampleKey
from vosmem.errors import InputError


def keys(num_items=7, samples=12, seed=0, epoch=0, replicas=1, rank=0):
    sampler = ClipSampler([1.0] * num_items, samples, seed, replicas, rank)
    sampler.set_epoch(epoch)
    return list(sampler)


def interleaved(samplers):
    """What a step sees after a step, over all processes."""
    return [key for step in zip(*samplers, strict=True) for key in step]


def test_keys_count_the_positions_of_the_epoch():
    assert [(key.epoch, key.position) for key in keys(epoch=3)] == [(3, index) for index in range(12)]


def test_the_order_is_a_function_of_seed_and_epoch():
    orders = {(seed, epoch): [key.item for key in keys(50, 50, seed, epoch)] for seed in (0, 1) for epoch in (0, 1, 2)}
    for (seed, epoch), order in orders.items():
        assert order == [key.item for key in keys(50, 50, seed, epoch)]
        assert [named for named, other in orders.items() if other == order] == [(seed, epoch)]


def test_an_epoch_does_not_depend_on_those_before():
    sampler = ClipSampler([1.0] * 20, 20, seed=0)
    for epoch in (4, 1, 2):
        sampler.set_epoch(epoch)
        list(sampler)
    np.random.seed(1)
    assert list(sampler) == keys(20, 20, epoch=2)


@pytest.mark.parametrize("samples", [7, 12, 13, 30])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_shards_interleave_to_the_same_sequence(samples, replicas):
    shards = [keys(samples=samples, replicas=replicas, rank=rank) for rank in range(replicas)]
    assert {len(shard) for shard in shards} == {samples // replicas}
    assert interleaved(shards) == keys(samples=samples)[: samples // replicas * replicas]


@pytest.mark.parametrize(("num_items", "samples"), [(5, 5), (5, 10), (5, 13), (3, 100)])
def test_each_pass_through_the_data_set_holds_every_item_once(num_items, samples):
    items = [key.item for key in keys(num_items, samples)]
    assert len(items) == samples
    passes = [items[start : start + num_items] for start in range(0, samples, num_items)]
    assert all(sorted(whole) == list(range(num_items)) for whole in passes if len(whole) == num_items)
    assert all(len(set(part)) == len(part) for part in passes)


def test_each_pass_has_its_own_shuffle():
    items = [key.item for key in keys(30, 90)]
    assert len({tuple(items[start : start + 30]) for start in (0, 30, 60)}) == 3


@given(st.lists(st.floats(0.05, 4), min_size=1, max_size=8), st.integers(0, 5))
def test_a_pass_holds_an_element_by_its_repeats_up_to_rounding(repeats, seed):
    sampler = ClipSampler(repeats, 1, seed)
    counts = np.bincount(sampler._pass(np.random.default_rng(seed)), minlength=len(repeats))
    assert np.all(counts >= np.floor(repeats)) and np.all(counts <= np.ceil(repeats))
    assert abs(counts.sum() - sum(repeats)) < 1 + 1e-9


def test_fractions_are_met_on_average_and_by_all_elements():
    items = [key.item for key in ClipSampler([0.25] * 8 + [2.0], 8000, seed=0)]
    counts = np.bincount(items)
    assert counts[8] == pytest.approx(4000, rel=0.02)
    assert counts[:8] == pytest.approx(500, rel=0.2)


def test_an_epoch_shorter_than_the_data_set_draws_others_the_next_time():
    first, second = ([key.item for key in keys(100, 20, epoch=epoch)] for epoch in (0, 1))
    assert len(set(first)) == len(set(second)) == 20
    assert len(set(first) & set(second)) < 10  # 4 of 20 are expected by chance


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_restart_continues_at_its_position(before, after):
    samplers = [ClipSampler([1.0] * 7, 24, 5, before, rank) for rank in range(before)]
    for sampler in samplers:
        sampler.set_epoch(2)
    done = interleaved([list(sampler)[: 6 // before] for sampler in samplers])
    for sampler in samplers:
        sampler.advance(4 // before if before != 3 else 1)
        sampler.advance(2 // before if before != 3 else 1)
    states = [sampler.state_dict() for sampler in samplers]
    assert all(state == states[0] for state in states)

    restored = [ClipSampler([1.0] * 7, 24, 5, after, rank) for rank in range(after)]
    for sampler in restored:
        sampler.load_state_dict(states[0])
        sampler.set_epoch(2)  # as Lightning does before the epoch that goes on
    assert done + interleaved([list(sampler) for sampler in restored]) == keys(7, 24, 5, epoch=2)
    assert [sampler.state_dict() for sampler in restored] == [states[0]] * after


def test_the_next_epoch_starts_at_its_beginning():
    sampler = ClipSampler([1.0] * 7, 12, seed=0)
    sampler.advance(5)
    sampler.set_epoch(1)
    assert list(sampler) == keys(epoch=1)


def test_the_length_is_that_of_the_whole_epoch():
    sampler = ClipSampler([1.0] * 7, 13, 0, num_replicas=2)
    sampler.advance(4)
    assert len(sampler) == 6
    assert len(list(sampler)) == 2


def test_a_state_is_made_of_plain_numbers():
    sampler = ClipSampler([1.0] * 7, 12, seed=0)
    sampler.advance(5)
    assert {type(value) for value in sampler.state_dict().values()} == {int}


def test_keys_are_plain_numbers():
    assert {type(part) for key in keys() for part in key} == {int}
    assert isinstance(keys()[0], SampleKey)


@pytest.mark.parametrize(
    ("num_items", "samples", "message"),
    [(0, 12, r"\A.*data set is empty.*\Z"), (7, 2, r"\A.*samples_per_epoch=2.*\(3\).*\Z")],
)
def test_an_epoch_without_samples_is_refused(num_items, samples, message):
    with pytest.raises(InputError, match=message):
        ClipSampler([1.0] * num_items, samples, seed=0, num_replicas=3)
