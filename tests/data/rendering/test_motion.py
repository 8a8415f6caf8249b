"""Paths stay in their range, are smooth, and pass through their knots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosmem.data.rendering.motion import num_knots, smooth_path, through_knots, wander

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(1, 90), st.floats(-50, 50), st.floats(0, 100), st.floats(2, 40))
def test_a_path_has_its_length_and_keeps_its_range(seed, num_frames, low, width, frames_per_knot):
    path = smooth_path(np.random.default_rng(seed), num_frames, low, low + width, frames_per_knot)
    assert path.shape == (num_frames,)
    assert path.min() >= low - 1e-9 and path.max() <= low + width + 1e-9


@given(seeds)
def test_a_path_has_no_jumps(seed):
    path = smooth_path(np.random.default_rng(seed), 60, 0.0, 1.0, 15.0)
    assert np.abs(np.diff(path)).max() < 0.2
    assert np.ptp(path) > 0.01


def test_a_path_meets_its_knots():
    knots = np.array([0.0, 4.0, -2.0])
    assert through_knots(knots, 21)[[0, 10, 20]] == pytest.approx(knots)
    assert through_knots(knots, 1).tolist() == [0.0]


def test_a_path_has_at_least_two_knots():
    assert num_knots(1, 15.0) == num_knots(5, 15.0) == 2
    assert num_knots(60, 15.0) == 5


@given(seeds, st.floats(0, 30))
def test_a_walk_stays_in_its_range(seed, step):
    indices = wander(np.random.default_rng(seed), 50, step, -3.0, 7.0)
    assert indices.shape == (50,)
    assert indices.min() >= -3 and indices.max() <= 7


def test_a_walk_takes_steps_of_the_size_asked_for():
    indices = wander(np.random.default_rng(0), 4000, 1.0, -1000.0, 1000.0)
    assert np.diff(indices).std() == pytest.approx(1, rel=0.1)
