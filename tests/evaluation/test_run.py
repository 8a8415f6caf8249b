"""Methods on sequences: given masks, scored frames, and written files."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.data.videos import ClipSequence
from vosmem.errors import InputError
from vosmem.evaluation.baselines import CopyFirstMask, WarpByFlow
from vosmem.evaluation.report import results, score_results, write_results
from vosmem.evaluation.run import evaluate_sequence
from vosmem.evaluation.scorers import score_folders
from vosmem.inference.output.mask_writer import write_labels
from vosmem.ops.masks import slots_to_ids

CPU = torch.device("cpu")


class Oracle:
    """Returns the ground truth, and records the masks that it was given."""

    def __init__(self, sequence):
        self.sequence, self.given, self.t = sequence, [], -1

    def step(self, frame, mask=None, *, absent=()):
        self.t += 1
        assert frame.shape[0] == 3 and frame.min() >= 0 and frame.max() <= 1
        if mask is not None:
            self.given.append(self.t)
        labels = self.sequence.labels(self.t).long()
        return torch.nn.functional.one_hot(labels, len(self.sequence.object_ids) + 1).permute(2, 0, 1).float()


def test_only_the_first_mask_is_given_and_the_truth_scores_one(davis):
    for sequence in evaluation_set("davis", str(davis), year=2017):
        oracle = Oracle(sequence)
        run = evaluate_sequence(sequence, oracle, CPU)
        assert oracle.given == [0] and run.masks_used == ["00000"]
        assert [score.object_id for score in run.scores] == list(sequence.object_ids)
        for score in run.scores:
            assert len(score.values["J"]) == len(sequence) - 2  # first and last are left out
            assert (score.values["J"] == 1).all() and (score.values["F"] == 1).all()


def test_clips_count_their_last_frame():
    labels = np.zeros((3, 16, 16), np.uint8)
    labels[:, 4:12, 4:12] = 1
    clip = ClipSequence("clip", np.zeros((3, 16, 16, 3), np.uint8), labels, 1)
    assert len(evaluate_sequence(clip, CopyFirstMask(), CPU).scores[0].values["J"]) == 2


def test_written_masks_carry_the_ids_and_score_the_same(davis, tmp_path):
    def write(sequence, segmented):
        ids = slots_to_ids(segmented.labels.numpy(), sequence.object_ids)
        write_labels(tmp_path / sequence.name / f"{sequence.frame_names[segmented.t]}.png", ids)

    sequences = evaluation_set("davis", str(davis), year=2017)
    runs = {sequence.name: evaluate_sequence(sequence, CopyFirstMask(), CPU, write) for sequence in sequences}
    outcome = results(runs, {"method": "copy"})
    scored = score_results(score_folders(davis / "Annotations" / "480p", tmp_path), {})
    assert score_results(score_folders(davis / "Annotations" / "480p", tmp_path, num_workers=2), {}) == scored
    assert {key: scored[key] for key in ("J&F", "J", "F", "num_objects")} == {
        key: outcome[key] for key in ("J&F", "J", "F", "num_objects")
    }
    table = pd.read_csv(write_results(outcome, tmp_path / "out" / "results.json"))
    assert table["J"].mean() == pytest.approx(outcome["J"])
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == outcome


def test_flow_follows_a_moving_texture_and_the_copy_does_not():
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), np.ones((6, 6, 1), np.uint8))
    frames = np.stack([np.roll(texture, 3 * t, axis=1) for t in range(6)])
    labels = np.stack(
        [np.roll(np.pad(np.ones((40, 30), np.uint8), ((28, 28), (10, 56))), 3 * t, axis=1) for t in range(6)]
    )
    clip = ClipSequence("moving", frames, labels, 1)
    flow, copied = (
        evaluate_sequence(clip, method(), CPU).scores[0].values["J"].mean() for method in (WarpByFlow, CopyFirstMask)
    )
    assert flow > 0.9 > copied + 0.1


@pytest.mark.parametrize("method", [CopyFirstMask, WarpByFlow])
def test_floors_need_a_first_mask(method):
    with pytest.raises(InputError, match="first frame has no mask"):
        method().step(torch.rand(3, 8, 8))


def test_a_missing_or_misshapen_prediction_is_named(davis, tmp_path):
    truth = davis / "Annotations" / "480p"
    with pytest.raises(InputError, match="'one'"):
        score_folders(truth, tmp_path)
    for name in ("one", "two"):
        for t in range(5):
            write_labels(tmp_path / name / f"{t:05d}.png", np.zeros((48, 80), np.uint8))
    (tmp_path / "one" / "00002.png").unlink()
    with pytest.raises(InputError, match=r"00002\.png"):
        score_folders(truth, tmp_path)
    write_labels(tmp_path / "one" / "00002.png", np.zeros((5, 8), np.uint8))
    with pytest.raises(InputError, match="5x8"):
        score_folders(truth, tmp_path)
