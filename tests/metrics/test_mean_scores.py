"""Validation logs the means of the summary, whichever process scored which sequence."""

import numpy as np
import pytest
import torch
from torch import Tensor

from vosmem.errors import InputError
from vosmem.metrics.davis import ObjectScore, summarize
from vosmem.metrics.mean_scores import MeanScores


def objects(num_frames: int, num_objects: int) -> list[ObjectScore]:
    """The objects of one sequence, each with its own scores."""
    rng = np.random.default_rng(num_frames)
    return [ObjectScore("s", k + 1, {name: rng.random(num_frames) for name in "JF"}) for k in range(num_objects)]


SEQUENCES = [objects(t, k) for t, k in ((6, 1), (9, 3), (5, 2), (12, 2))]


def updated(sequences, **kwargs) -> MeanScores:
    metric = MeanScores(**kwargs)
    for scores in sequences:
        metric.update(scores)
    return metric


def plain(result: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in result.items()}


def test_means_equal_those_of_the_summary():
    whole = summarize([score for scores in SEQUENCES for score in scores])
    expected = {name: whole[name] for name in ("J&F", "J", "F")}
    assert plain(updated(SEQUENCES).compute()) == pytest.approx(expected, abs=1e-6)


def test_updates_can_follow_updates_in_inference_mode():
    metric = MeanScores()
    with torch.inference_mode():
        metric.reset()
        metric.update(SEQUENCES[0])
    metric.update(SEQUENCES[1])
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES[:2]).compute()), abs=1e-6)


def test_merged_halves_equal_the_whole():
    half, other = updated(SEQUENCES[:1]), updated(SEQUENCES[1:])
    half.merge_state(other)
    assert plain(half.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_processes_reach_the_same_means_even_if_one_has_no_sequence():
    def gather(state: Tensor, group: object) -> list[Tensor]:
        name = next(name for name in first._defaults if getattr(first, name) is state)
        return [getattr(rank, name) for rank in ranks]

    first = updated(SEQUENCES[:3], dist_sync_fn=gather, distributed_available_fn=lambda: True)
    ranks = [updated(SEQUENCES[:3]), updated(SEQUENCES[3:]), updated([])]
    assert plain(first.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_forward_returns_the_score_of_its_own_sequence_and_keeps_the_total():
    metric = MeanScores()
    for scores in SEQUENCES:
        assert metric(scores) == updated([scores]).compute()
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_reset_discards_earlier_sequences():
    metric = updated(SEQUENCES[:2])
    metric.reset()
    metric.update(SEQUENCES[2])
    assert metric.compute() == updated(SEQUENCES[2:3]).compute()


def test_objects_without_evaluated_frames_do_not_count():
    assert updated([objects(0, 2), SEQUENCES[1]]).compute() == updated([SEQUENCES[1]]).compute()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="at least three frames"):
        MeanScores().compute()


def test_the_type_of_the_sums_does_not_depend_on_the_default():
    """Processes exchange their sums: a process without a sequence has the type of the others."""
    metric = MeanScores()
    torch.set_default_dtype(torch.float64)  # as in a training with trainer.precision=64-true
    try:
        metric.update([ObjectScore("bear", 1, {"J": np.ones(3), "F": np.zeros(3)})])
    finally:
        torch.set_default_dtype(torch.float32)
    assert metric.sums.dtype == MeanScores().sums.dtype
