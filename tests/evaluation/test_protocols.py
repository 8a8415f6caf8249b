"""YouTube-VOS from frames to zip and G."""

import zipfile

import numpy as np
import pytest
import torch

from tests.youtubevos import labels_at, write_youtubevos
from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.evaluation.baselines import CopyFirstMask
from vosmem.evaluation.report import results, results_table
from vosmem.evaluation.run import evaluate_sequence
from vosmem.evaluation.submission import write_submission
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.metrics import region

CPU = torch.device("cpu")


@pytest.fixture
def sequences(tmp_path):
    root = write_youtubevos(tmp_path)
    return evaluation_set("youtubevos", str(root), truth=str(root / "truth"))


def test_an_object_counts_from_the_frame_after_its_mask(sequences):
    run = evaluate_sequence(sequences[0], CopyFirstMask(), CPU)
    assert run.masks_used == ["00000", "00010"]
    assert {score.object_id: len(score.values["J"]) for score in run.scores} == {7: 4, 3: 2}
    expected = [float(region.jaccard_by_object(labels_at("0a", t), labels_at("0a", 10), [3])[0]) for t in (15, 20)]
    assert next(score for score in run.scores if score.object_id == 3).values["J"].tolist() == expected


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
    sequence = evaluation_set("youtubevos", str(write_youtubevos(tmp_path)))[0]  # its late mask lacks the other object
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
