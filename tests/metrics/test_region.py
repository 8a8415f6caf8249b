import numpy as np
import pytest

from tests.metrics import reference
from vosmem.metrics.region import jaccard, jaccard_by_object

EMPTY = np.zeros((5, 7), bool)
FULL = np.ones((5, 7), bool)


def rectangle_shifted_by(d: int) -> np.ndarray:
    mask = np.zeros((480, 854), bool)
    mask[100 + d : 300 + d, 200 + d : 500 + d] = True
    return mask


@pytest.mark.parametrize(("d", "expected"), [(0, 1), (2, 0.9673), (4, 0.93598), (8, 0.8769), (9, 0.8628), (16, 0.7714)])
def test_shifted_rectangle_scores_what_the_official_scorer_gave(d, expected):
    assert jaccard(rectangle_shifted_by(0), rectangle_shifted_by(d)) == pytest.approx(expected, abs=5e-5)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    assert jaccard(EMPTY, EMPTY) == 1
    assert jaccard(FULL, EMPTY) == jaccard(EMPTY, FULL) == 0
    assert jaccard(FULL, FULL) == 1


def test_equals_set_arithmetic():
    rng = np.random.default_rng(0)
    for share in (0.05, 0.5, 0.95):
        true, pred = rng.random((2, 13, 17)) < share
        assert jaccard(true, pred) == reference.jaccard(true, pred)


def test_a_stack_is_scored_mask_by_mask():
    true, pred = np.random.default_rng(1).random((2, 3, 4, 6, 5)) < 0.5
    scores = jaccard(true, pred)
    assert scores.shape == (3, 4)
    assert scores.dtype == np.float64
    assert scores[2, 1] == reference.jaccard(true[2, 1], pred[2, 1])
    assert jaccard(true[0, :0], pred[0, :0]).shape == (0,)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_objects_are_scored_by_id_whatever_the_ids(dtype):
    ids = [200, 3, 77]
    true, pred = np.random.default_rng(2).choice([0, 3, 77, 200, 9], size=(2, 20, 30)).astype(dtype)
    expected = [reference.jaccard(true == i, pred == i) for i in ids]
    assert jaccard_by_object(true, pred, ids).tolist() == expected
    assert jaccard_by_object(true, pred, ids[::-1]).tolist() == expected[::-1]


def test_large_and_negative_ids_are_ids_like_others():
    true, pred = np.array([[10**12, -4, 0]]), np.array([[10**12, 10**12, -4]])
    assert jaccard_by_object(true, pred, [-4, 10**12]).tolist() == [0, 0.5]


def test_a_stray_predicted_id_counts_as_background():
    true, pred = np.random.default_rng(3).integers(0, 4, (2, 20, 30))
    assert jaccard_by_object(true, pred, [1, 2]).tolist() == jaccard_by_object(true, pred * (pred < 3), [1, 2]).tolist()


def test_an_object_in_neither_mask_scores_one_and_no_object_no_score():
    labels = np.zeros((4, 4), np.uint8)
    assert jaccard_by_object(labels, labels, [5]).tolist() == [1]
    assert jaccard_by_object(labels, labels, []).shape == (0,)
