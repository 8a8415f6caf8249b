"""YouTube-VOS from frames to zip and G, and the scorers."""

import math
import sys
import types
import zipfile

import numpy as np
import pytest
import torch

from tests.metrics import reference
from tests.youtubevos import labels_at, write_youtubevos
from vosmem.data.protocols import youtubevos_sequences
from vosmem.errors import InputError
from vosmem.evaluation.baselines import CopyFirstMask
from vosmem.evaluation.official import frame_scorer
from vosmem.evaluation.report import results, results_table
from vosmem.evaluation.run import evaluate_sequence
from vosmem.evaluation.submission import write_submission
from vosmem.inference.sequences import segment_sequence
from vosmem.metrics import region
from vosmem.metrics.davis import score_frame

CPU = torch.device("cpu")


@pytest.fixture
def sequences(tmp_path):
    root = write_youtubevos(tmp_path)
    return youtubevos_sequences(str(root), truth=str(root / "truth"))


def test_an_object_counts_from_the_frame_after_its_mask(sequences):
    run = evaluate_sequence(sequences[0], CopyFirstMask(), CPU)
    assert run.masks_used == ["00000", "00010"]
    assert {score.object_id: len(score.j) for score in run.scores} == {7: 4, 3: 2}
    expected = [float(region.jaccard_by_object(labels_at("0a", t), labels_at("0a", 10), [3])[0]) for t in (15, 20)]
    assert next(score for score in run.scores if score.object_id == 3).j.tolist() == expected


def test_before_the_first_mask_all_is_background_and_the_method_is_not_asked(sequences):
    frames = list(segment_sequence(sequences[1], CopyFirstMask(), CPU))
    assert frames[0].seconds is None and not frames[0].labels.any() and frames[0].probs.shape[0] == 1
    assert frames[1].seconds is not None and frames[1].labels.any()


def test_g_is_the_mean_over_seen_and_unseen(sequences):
    runs = {sequence.name: evaluate_sequence(sequence, CopyFirstMask(), CPU) for sequence in sequences}
    outcome = results(runs, {})
    groups = outcome["groups"]
    assert {name: group["num_objects"] for name, group in groups.items()} == {"seen": 2, "unseen": 1}
    assert groups["unseen"]["J"] == pytest.approx(outcome["sequences"]["0a"]["objects"]["3"]["J"])
    seen = [outcome["sequences"][name]["objects"][key]["J"] for name, key in (("0a", "7"), ("0b", "2"))]
    assert groups["seen"]["J"] == pytest.approx(np.mean(seen))
    assert outcome["G"] == pytest.approx(np.mean([group[key] for group in groups.values() for key in ("J", "F")]))
    assert results_table(outcome, "percent").row_count == 5


def test_of_one_group_alone_there_is_no_g(sequences):
    outcome = results({"0b": evaluate_sequence(sequences[1], CopyFirstMask(), CPU)}, {})
    assert list(outcome["groups"]) == ["seen"] and "G" not in outcome


def test_without_ground_truth_there_is_no_score(tmp_path):
    sequence = youtubevos_sequences(str(write_youtubevos(tmp_path)))[0]  # its late mask does not show the other object
    outcome = results({"0a": evaluate_sequence(sequence, CopyFirstMask(), CPU)}, {})
    assert outcome["num_objects"] == 0 and "J&F" not in outcome and "G" not in outcome


@pytest.mark.parametrize(("folder", "prefix"), [("", ""), ("Annotations", "Annotations/")])
def test_the_zip_is_what_the_server_takes(tmp_path, folder, prefix):
    for name in ("cat/00000.png", "cat/00005.png", "dog/00000.png", "left_over/00000.png"):
        (tmp_path / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "masks" / name).write_bytes(name.encode())
    paths = [write_submission(tmp_path / "masks", ["dog", "cat"], tmp_path / f"{n}.zip", folder) for n in "ab"]
    with zipfile.ZipFile(paths[0]) as archive:
        names = archive.namelist()
        assert names == [prefix + name for name in ("cat/00000.png", "cat/00005.png", "dog/00000.png")]
        assert archive.read(names[0]) == b"cat/00000.png"
    assert paths[0].read_bytes() == paths[1].read_bytes()


class TestOfficialScorer:
    @pytest.fixture
    def davis2017(self, monkeypatch):
        """The package's interface, annotation first, on the reference of the tests."""
        package, metrics = types.ModuleType("davis2017"), types.ModuleType("davis2017.metrics")
        metrics.db_eval_iou = lambda annotation, segmentation, void_pixels=None: reference.jaccard(
            annotation > 0, segmentation > 0
        )
        metrics.db_eval_boundary = lambda annotation, segmentation, void_pixels=None, bound_th=0.008: (
            reference.boundary_f(annotation > 0, segmentation > 0, math.ceil(bound_th * math.hypot(*annotation.shape)))
        )
        package.metrics = metrics
        monkeypatch.setitem(sys.modules, "davis2017", package)
        monkeypatch.setitem(sys.modules, "davis2017.metrics", metrics)

    def test_it_scores_as_the_builtin_one(self, davis2017):
        true, predicted = labels_at("0a", 20), labels_at("0a", 10)
        for ours, theirs in zip(
            score_frame(true, predicted, [3, 7]), frame_scorer("davis2017")(true, predicted, [3, 7]), strict=True
        ):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)

    def test_without_the_package_it_says_how_to_get_it(self):
        with pytest.raises(InputError, match=r"vosmem\[davis\]"):
            frame_scorer("davis2017")

    def test_unknown_scorer(self):
        assert frame_scorer("builtin") is score_frame
        with pytest.raises(InputError, match="builtin or davis2017"):
            frame_scorer("x")
