"""Confidence: its measures, and the frames to check."""

import math
from itertools import pairwise

import pytest
import torch

from vosmem.inference.sequences.confidence import (
    NUM_CHECKS,
    NUM_UNCERTAIN,
    ConfidenceRows,
    ConfidenceTracker,
    ObjectConfidence,
    frames_to_check,
)


def probs_of(inside, area, size=(10, 20)):
    """One object of some area, with a probability inside and none outside."""
    probs = torch.zeros(2, *size)
    probs[1].view(-1)[:area] = inside
    probs[0] = 1 - probs[1]
    return probs, probs.argmax(dim=0).to(torch.uint8)


@pytest.mark.parametrize("inside", [0.75, 1.0])
def test_area_probability_and_entropy(inside):
    (row,) = ConfidenceTracker({1: 40}).update(3, *probs_of(inside, 40), {1: False})
    bits = -sum(p * math.log2(p) for p in (inside, 1 - inside) if p)
    assert (row.t, row.slot, row.area, row.lost, row.jump) == (3, 1, 40, False, False)
    assert (row.mean_probability, row.entropy) == pytest.approx((inside, bits), abs=1e-6)


@pytest.mark.parametrize(
    ("inside", "area", "lost"), [(0.9, 50, False), (0.55, 50, True), (0.9, 0, True), (1, 1, False)]
)
def test_lost(inside, area, lost):
    (row,) = ConfidenceTracker({1: 50}).update(0, *probs_of(inside, area), {1: False})
    assert row.lost is lost and (row.mean_probability is None) == (area == 0)


def test_a_speck_of_a_large_object_is_lost():
    (row,) = ConfidenceTracker({1: 150}).update(0, *probs_of(1.0, 1), {1: False})
    assert row.lost


def test_jumps_are_sudden_and_not_from_a_given_mask():
    tracker = ConfidenceTracker({1: 40})
    steps = [(40, False), (50, False), (100, False), (50, True), (20, False), (1, False), (2, False)]
    jumps = [tracker.update(t, *probs_of(0.9, area), {1: given})[0].jump for t, (area, given) in enumerate(steps)]
    assert jumps == [False, False, True, False, True, True, False]


def row(t, entropy=0.1, slot=1, **flags):
    return ObjectConfidence(t, slot, 50, 0.9, entropy, **{"lost": False, "jump": False, **flags})


def test_events_are_listed_once_and_in_order():
    rows = [row(t) for t in range(20)]
    rows[5], rows[6], rows[7], rows[12] = (
        row(5, lost=True, jump=True), row(6, lost=True), row(7, lost=True), row(12, jump=True)
    )  # fmt: skip
    checks = [check for check in frames_to_check(reversed(rows)) if check.reason != "uncertain"]
    assert [(check.t, check.reason) for check in checks] == [(5, "lost"), (12, "jump")]


def test_uncertain_frames_are_apart_from_each_other():
    rows = [row(t, entropy=0.9 if t in (30, 31, 70) else 0.1) for t in range(100)]
    checks = frames_to_check(rows)
    assert len(checks) == NUM_UNCERTAIN and {check.t for check in checks} >= {30, 70}
    assert all(later.t - check.t >= 8 for check, later in pairwise(checks))


def test_rows_are_stored_exactly():
    given = [row(t, entropy=1 / 3, slot=t % 3 + 1, lost=t == 2, jump=t == 3) for t in range(5)]
    given.append(given[0]._replace(t=2**40, area=5000 * 3000, mean_probability=None))
    kept = ConfidenceRows()
    for part in (given[:2], [], given[2:]):
        kept.extend(part)
    assert list(kept) == list(kept) == given and len(kept) == 6
    assert given[1] in kept and given[1]._replace(area=-1) not in kept
    assert all(
        type(value) is type(was) for pair in zip(kept, given, strict=True) for value, was in zip(*pair, strict=True)
    )


def test_a_frame_with_a_given_mask_is_not_uncertain():
    """Even if the object is lost in all other frames."""
    rows = [row(0, entropy=0.0), *(row(t, lost=True) for t in range(1, 5))]
    assert [(check.t, check.reason) for check in frames_to_check(rows)] == [(1, "lost")]


def test_an_absent_object_is_not_listed_as_lost():
    rows = [row(0), row(1)._replace(area=0, mean_probability=None, entropy=0.0, lost=True), row(2, lost=True), row(3)]
    assert [check.reason for check in frames_to_check(rows) if check.reason != "uncertain"] == []


def test_events_take_precedence_over_uncertain_frames():
    rows = [row(t, slot=slot, jump=t < 60, entropy=t / 100) for t in range(99) for slot in (1, 2)]
    checks = frames_to_check(rows)
    assert len(checks) == NUM_CHECKS and {check.reason for check in checks} == {"jump"} and checks[0].t == 40
