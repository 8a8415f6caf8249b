import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.golden_video import video
from tests.metrics import reference
from vosmem.errors import InputError
from vosmem.metrics.davis import ObjectScore, SequenceScorer, score_frame, statistics, summarize

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "davis_scores.json").read_text())


def golden_labels(case: str) -> tuple[np.ndarray, np.ndarray]:
    """The annotation and the prediction that the official scorer was given."""
    true = video(*GOLDEN[case]["video"])[1]
    pred = np.roll(true, GOLDEN[case]["shift"], axis=(1, 2))
    pred[len(pred) // 2 :, :, : pred.shape[2] // 3] = 0
    return true, pred


def score_sequence(name: str, true: np.ndarray, pred: np.ndarray, object_ids: list[int]) -> list[ObjectScore]:
    scorer = SequenceScorer(name, object_ids)
    for true_labels, pred_labels in zip(true[1:-1], pred[1:-1], strict=True):
        scorer.update(true_labels, pred_labels)
    return scorer.result()


def constant_score(j: float, f: float, num_frames: int = 5) -> ObjectScore:
    return ObjectScore("s", 1, {"J": np.full(num_frames, j), "F": np.full(num_frames, f)})


def test_golden_video_is_the_one_that_was_scored():
    frames, labels = video(12, 240, 427, 1, 3)
    assert zlib.crc32(frames.tobytes()) == 3873242920
    assert zlib.crc32(labels.tobytes()) == 3083724976


@pytest.mark.parametrize("case", GOLDEN)
def test_scores_are_those_of_the_official_scorer(case):
    expected = GOLDEN[case]
    ids = [int(k) for k in expected["per_object"]]
    scores = score_sequence(case, *golden_labels(case), ids)
    for score in scores:
        of_object = expected["per_object"][str(score.object_id)]
        assert statistics(score.values["J"]) == pytest.approx(of_object["J"], abs=1e-9)
        assert statistics(score.values["F"]) == pytest.approx(of_object["F"], abs=1e-9)
    summary = summarize(scores)
    assert summary["J"] == pytest.approx(expected["J"], abs=1e-9)
    assert summary["F"] == pytest.approx(expected["F"], abs=1e-9)
    assert summary["J&F"] == pytest.approx((expected["J"] + expected["F"]) / 2, abs=1e-9)
    assert summary["J_decay"] == pytest.approx(np.mean([o["J"][2] for o in expected["per_object"].values()]))
    assert summary["F_recall"] == pytest.approx(np.mean([o["F"][1] for o in expected["per_object"].values()]))


def test_scores_are_those_of_the_whole_frame_reference():
    true, pred = golden_labels("three_objects")
    scores = score_sequence("s", true, pred, [1, 2, 3])
    expected = np.array(list(reference.score_video(true[1:-1], pred[1:-1], 3)))
    assert np.array_equal(np.array([list(s.values.values()) for s in scores]), expected.transpose(2, 1, 0))


def test_permuting_the_objects_permutes_the_scores():
    true, pred = (labels[5] for labels in golden_labels("five_objects"))
    order = [4, 1, 5, 3, 2]
    relabelled = np.array([0, 90, 7, 12, 255, 1])
    scores, permuted = score_frame(true, pred, [1, 2, 3, 4, 5]), score_frame(true, pred, order)
    renamed = score_frame(relabelled[true], relabelled[pred], [90, 7, 12, 255, 1])
    for name in ("J", "F"):
        assert permuted[name].tolist() == [scores[name][i - 1] for i in order]
        assert np.array_equal(renamed[name], scores[name])


def test_predicting_where_void_became_background_costs_j():
    true = np.zeros((64, 64), np.uint8)
    true[10:30, 10:30] = 1
    pred = true.copy()
    pred[30:32, 10:30] = 1
    assert score_frame(true, pred, [1])["J"] == pytest.approx([10 / 11])


def test_result_keeps_name_ids_and_frames_apart():
    blank, seen = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    seen[20:40, 20:40] = 7
    scorer = SequenceScorer("bear", [3, 7])
    scorer.update(seen, seen)
    scorer.update(seen, blank)
    absent, present = scorer.result()
    assert [(s.sequence, s.object_id) for s in (absent, present)] == [("bear", 3), ("bear", 7)]
    assert absent.values["J"].tolist() == absent.values["F"].tolist() == [1, 1]
    assert present.values["J"].tolist() == present.values["F"].tolist() == [1, 0]


def test_a_sequence_without_evaluated_frames_has_empty_scores():
    scores = SequenceScorer("short", [1, 2]).result()
    assert [s.object_id for s in scores] == [1, 2]
    assert all(s.values["J"].shape == s.values["F"].shape == (0,) and s.num_frames == 0 for s in scores)
    assert SequenceScorer("nothing", []).result() == []


def test_predictions_of_another_size_are_refused_by_name():
    scorer = SequenceScorer("bear", [1])
    with pytest.raises(InputError, match=r"'bear'.* 48x85 .* 480x854;") as error:
        scorer.update(np.zeros((480, 854), np.uint8), np.zeros((48, 85), np.uint8))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("num_frames", [*range(1, 12), 254, 255, 256, 257, 300, 1000])
def test_decay_is_right_for_any_number_of_frames(num_frames):
    values = np.random.default_rng(num_frames).random(num_frames)
    assert statistics(values).decay == pytest.approx(reference.decay(values.tolist()), abs=1e-12)


@pytest.mark.parametrize(
    ("values", "decay"), [([0.3], 0), ([0.9, 0.4], 0.5), ([1, 0.5, 0.25], 0.5), ([1, 0.75, 0.5, 0.25], 0.5)]
)
def test_decay_of_a_few_frames(values, decay):
    assert statistics(np.array(values)).decay == decay


def test_recall_counts_frames_strictly_above_one_half():
    assert statistics(np.array([0.5, 0.5, 0.51, 0.9])).recall == 0.5


def test_statistics_of_no_frame_are_refused():
    with pytest.raises(ValueError, match="no frame"):
        statistics(np.array([]))


def test_summary_counts_objects_not_sequences():
    scores = [constant_score(1.0, 0.5)] * 3 + [constant_score(0.2, 0.1, num_frames=80)]
    assert summarize(scores) == pytest.approx(
        {
            "J&F": 0.6,
            "J": 0.8,
            "F": 0.4,
            "J_recall": 0.75,
            "J_decay": 0,
            "F_recall": 0,
            "F_decay": 0,
            "num_objects": 4,
        }
    )


def test_summary_leaves_out_objects_without_frames():
    scores = [constant_score(0.6, 0.4), constant_score(0, 0, num_frames=0)]
    assert summarize(scores)["J&F"] == 0.5
    assert summarize(scores)["num_objects"] == 1


def test_summary_is_of_plain_numbers():
    summary = summarize([constant_score(0.25, 0.75)])
    assert {type(value) for value in summary.values()} == {float, int}
    assert type(summary["num_objects"]) is int


@pytest.mark.parametrize("scores", [[], [constant_score(0, 0, num_frames=0)]])
def test_summary_of_nothing_is_refused(scores):
    with pytest.raises(InputError, match="give sequences of three or more frames"):
        summarize(scores)
