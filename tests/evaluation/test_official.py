"""The built-in scorer and the adapter against recorded answers of davis2017-evaluation."""

import json
import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.official_scores import RECORD, predictions, read_sequence, synthetic_cases
from vosmem.errors import InputError
from vosmem.evaluation.official import metrics_of
from vosmem.metrics.davis import SequenceScorer, score_frame, statistics
from vosmem.metrics.registry import METRICS, FrameMetric

RECORDED = json.loads(RECORD.read_text())
CASES = [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in synthetic_cases()]


def recorded_scores(name: str, kind: str) -> np.ndarray:
    """J and F of every object and frame, (2, K, T), as davis2017-evaluation computed them."""
    return np.array([RECORDED["synthetic"][name][kind][measure] for measure in "JF"])


def scores(metrics: dict[str, FrameMetric], true: np.ndarray, predicted: np.ndarray, num_objects: int) -> np.ndarray:
    """J and F of every object and frame, (2, K, T)."""
    frames = [score_frame(*pair, range(1, num_objects + 1), metrics) for pair in zip(true, predicted, strict=True)]
    return np.array([[frame[name] for name in "JF"] for frame in frames]).transpose(1, 2, 0)


def question(annotation: np.ndarray, segmentation: np.ndarray) -> tuple[tuple[int, ...], bytes, bytes]:
    """The key of a pair of binary masks."""
    return annotation.shape, annotation.astype(bool).tobytes(), segmentation.astype(bool).tobytes()


@pytest.fixture(scope="session")
def answers() -> dict[tuple[tuple[int, ...], bytes, bytes], tuple[float, float]]:
    """J and F of every pair of masks, annotation first, that the record holds."""
    known = {}
    for name, kind, true, predicted in synthetic_cases():
        for k, t in np.ndindex(recorded_scores(name, kind).shape[1:]):
            pair = question(true[t] == k + 1, predicted[t] == k + 1)
            known[pair] = tuple(recorded_scores(name, kind)[:, k, t])
    return known


@pytest.fixture
def davis2017(monkeypatch, answers):
    """The package with the recorded answers in place of its computations.

    Signatures, types and the division of 0 by 0 are those of the package. Another pair of masks, or the same the other
    way round, is a KeyError.
    """

    def db_eval_iou(annotation, segmentation, void_pixels=None):
        assert void_pixels is None
        j = answers[question(annotation, segmentation)][0]
        union = np.sum(annotation.astype(bool) | segmentation.astype(bool))
        return 1 if np.isnan(np.sum(0) / union) else np.float64(j)

    def db_eval_boundary(annotation, segmentation, void_pixels=None, bound_th=0.008):
        assert void_pixels is None and bound_th == 0.008
        return answers[question(annotation, segmentation)][1]

    package, metrics = types.ModuleType("davis2017"), types.ModuleType("davis2017.metrics")
    metrics.db_eval_iou, metrics.db_eval_boundary, package.metrics = db_eval_iou, db_eval_boundary, metrics
    monkeypatch.setitem(sys.modules, "davis2017", package)
    monkeypatch.setitem(sys.modules, "davis2017.metrics", metrics)


@pytest.mark.parametrize(("name", "kind", "true", "predicted"), CASES)
def test_the_builtin_scorer_equals_the_package(name, kind, true, predicted):
    expected = recorded_scores(name, kind)
    np.testing.assert_allclose(scores(METRICS, true, predicted, len(expected[0])), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "kind", "true", "predicted"), CASES)
def test_the_adapter_asks_the_package_rightly_and_without_a_warning(davis2017, name, kind, true, predicted):
    expected = recorded_scores(name, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(scores(metrics_of("davis2017"), true, predicted, len(expected[0])), expected)


def test_the_record_holds_what_scorers_may_disagree_on():
    both = np.concatenate([recorded_scores(*case[:2]).reshape(2, -1) for case in synthetic_cases()], axis=1)
    for j, f in [(1, 1), (0, 0)]:
        assert np.any((both[0] == j) & (both[1] == f))
    assert np.any((both[0] > 0) & (both[1] == 0))  # a mask without a boundary
    assert np.count_nonzero((both > 0) & (both < 1)) > 150


@pytest.mark.slow
@pytest.mark.skipif("VOSMEM_DAVIS16" not in os.environ, reason="VOSMEM_DAVIS16 names no folder of DAVIS-2016")
@pytest.mark.parametrize("name", sorted(RECORDED["davis"]["copied"]))
def test_on_davis_the_statistics_of_the_builtin_scorer_equal_the_package(name):
    labels = read_sequence(Path(os.environ["VOSMEM_DAVIS16"]) / "Annotations" / "480p" / name)
    for kind, predicted in predictions(labels).items():
        scorer = SequenceScorer(name, [1])
        for pair in zip(labels[1:-1], predicted[1:-1], strict=True):
            scorer.update(*pair)
        (score,) = scorer.result()
        expected = RECORDED["davis"][kind][name]
        for measure, values in score.values.items():
            np.testing.assert_allclose(statistics(values), expected[measure], rtol=0, atol=1e-12, err_msg=kind)


def test_without_the_package_the_error_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "davis2017", None)
    # Its dependencies would put opencv-python over the files of opencv-python-headless.
    with pytest.raises(InputError, match=r"pip install --no-deps git\+https://\S+davis2017-evaluation"):
        metrics_of("davis2017")


def test_a_package_that_cannot_be_imported_is_reported_with_its_reason(monkeypatch, davis2017):
    monkeypatch.setitem(sys.modules, "davis2017.metrics", None)
    with pytest.raises(InputError, match=r"'import of davis2017\.metrics halted"):
        metrics_of("davis2017")


def test_an_unknown_scorer_is_refused():
    assert metrics_of("builtin") is METRICS
    with pytest.raises(InputError, match="builtin or davis2017"):
        metrics_of("x")
