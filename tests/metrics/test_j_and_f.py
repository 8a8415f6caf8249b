import numpy as np
import pytest
import torch
from torch import Tensor

from tests.golden_video import video
from vosmem.errors import InputError
from vosmem.metrics.davis import SequenceScorer, summarize
from vosmem.metrics.j_and_f import JAndF


def sequence(num_frames: int, num_objects: int, seed: int) -> tuple[Tensor, Tensor]:
    """Annotation and a prediction that drifts away from it."""
    true = video(num_frames, 64, 96, num_objects, seed)[1]
    pred = np.stack([np.roll(labels, t // 2, axis=1) for t, labels in enumerate(true)])
    return torch.from_numpy(true), torch.from_numpy(pred)


SEQUENCES = [(*sequence(t, k, seed=t), k) for t, k in ((6, 1), (9, 3), (5, 2), (12, 2))]


def updated(sequences, **kwargs) -> JAndF:
    metric = JAndF(**kwargs)
    for true, pred, num_objects in sequences:
        metric.update(true, pred, num_objects)
    return metric


def plain(result: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in result.items()}


@pytest.mark.parametrize("exclude_last", [True, False])
def test_equals_the_summary_of_the_evaluated_frames(exclude_last):
    scores = []
    for true, pred, num_objects in SEQUENCES:
        scorer = SequenceScorer("s", range(1, num_objects + 1))
        for t in range(1, len(true) - exclude_last):
            scorer.update(true[t].numpy(), pred[t].numpy())
        scores += scorer.result()
    expected = {name: summarize(scores)[name] for name in ("J&F", "J", "F")}
    assert plain(updated(SEQUENCES, exclude_last=exclude_last).compute()) == pytest.approx(expected, abs=1e-6)


def test_the_given_first_frame_does_not_count():
    true, pred, num_objects = SEQUENCES[1]
    spoilt = pred.clone()
    spoilt[[0, -1]] = 0
    assert updated([(true, spoilt, num_objects)]).compute() == updated([(true, pred, num_objects)]).compute()


def test_a_sequence_may_choose_about_its_last_frame():
    true, pred, num_objects = SEQUENCES[1]
    for own, other in ((True, False), (False, True)):
        metric = JAndF(exclude_last=other)
        metric.update(true, pred, num_objects, exclude_last=own)
        assert metric.compute() == updated([SEQUENCES[1]], exclude_last=own).compute()
        assert metric.compute() != updated([SEQUENCES[1]], exclude_last=other).compute()


def test_updates_may_go_on_after_inference_mode():
    metric = JAndF()
    with torch.inference_mode():
        metric.reset()
        metric.update(*SEQUENCES[0])
    metric.update(*SEQUENCES[1])
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES[:2]).compute()), abs=1e-6)


def test_merged_halves_equal_the_whole():
    half, other = updated(SEQUENCES[:1]), updated(SEQUENCES[1:])
    half.merge_state(other)
    assert plain(half.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_processes_reach_the_same_means_even_if_one_saw_nothing():
    def gather(state: Tensor, group: object) -> list[Tensor]:
        name = next(name for name in first._defaults if getattr(first, name) is state)
        return [getattr(rank, name) for rank in ranks]

    first = updated(SEQUENCES[:3], dist_sync_fn=gather, distributed_available_fn=lambda: True)
    ranks = [updated(SEQUENCES[:3]), updated(SEQUENCES[3:]), updated([])]
    assert plain(first.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_forward_returns_the_score_of_its_own_sequence_and_keeps_the_total():
    metric = JAndF()
    for true, pred, num_objects in SEQUENCES:
        own = metric(true, pred, num_objects)
        assert own == updated([(true, pred, num_objects)]).compute()
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)


def test_reset_forgets():
    metric = updated(SEQUENCES[:2])
    metric.reset()
    metric.update(*SEQUENCES[2])
    assert metric.compute() == updated(SEQUENCES[2:3]).compute()


def test_ids_may_be_given_by_name():
    true, pred, _ = SEQUENCES[1]
    renamed = torch.tensor([0, 40, 9, 1000])
    metric = JAndF()
    metric.update(renamed[true.long()], renamed[pred.long()], [1000, 40, 9], sequence="dogs")
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES[1:2]).compute()), abs=1e-6)


def test_sequences_without_evaluated_frames_do_not_count():
    true, pred, num_objects = SEQUENCES[0]
    short = (true[:2], pred[:2], num_objects)
    assert updated([short, SEQUENCES[1]]).compute() == updated([SEQUENCES[1]]).compute()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_to_score_is_refused():
    with pytest.raises(InputError, match="at least three frames"):
        JAndF().compute()


def test_a_missing_prediction_is_refused_by_name():
    true, pred, num_objects = SEQUENCES[0]
    with pytest.raises(InputError, match=r"'bear': 5 predicted but 6 annotated frames"):
        JAndF().update(true, pred[:-1], num_objects, sequence="bear")


def test_predictions_of_another_size_are_refused_by_name():
    true, pred, num_objects = SEQUENCES[0]
    with pytest.raises(InputError, match=r"'bear'.* 64x95 .* 64x96;"):
        JAndF().update(true, pred[:, :, 1:], num_objects, sequence="bear")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_labels_and_states_may_be_on_the_gpu():
    metric = JAndF().to("cuda")
    for true, pred, num_objects in SEQUENCES:
        metric.update(true.cuda(), pred.cuda(), num_objects)
    assert plain(metric.compute()) == pytest.approx(plain(updated(SEQUENCES).compute()), abs=1e-6)
