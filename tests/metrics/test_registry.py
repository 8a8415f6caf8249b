"""A metric that is added to the registry is reported wherever J and F are."""

import numpy as np
import pandas as pd
import pytest

from vosmem.commands.sweeps import collect_sweep
from vosmem.errors import InputError
from vosmem.evaluation.finished import FinishedSequences
from vosmem.evaluation.report import results, results_table, write_results
from vosmem.evaluation.run import SequenceRun
from vosmem.metrics import SequenceScorer
from vosmem.metrics.mean_scores import MeanScores
from vosmem.metrics.registry import METRICS
from vosmem.visualization.curves import plot_curves
from vosmem.visualization.sweep import plot_sweep


def accuracy_by_object(true_labels, pred_labels, object_ids):
    """Share of the pixels that are labelled correctly."""
    return np.array([np.mean((true_labels == i) == (pred_labels == i)) for i in object_ids])


def test_registered_metric_is_reported_everywhere(monkeypatch, tmp_path):
    monkeypatch.setitem(METRICS, "A", accuracy_by_object)
    scorer = SequenceScorer("bear", [1])
    truth = np.zeros((4, 4), np.uint8)
    truth[:2] = 1
    scorer.update(truth, truth)
    scorer.update(truth, np.zeros_like(truth))
    finished = FinishedSequences(tmp_path / "sequences", {})
    finished.save("bear", SequenceRun(scorer.result(), 2, []))
    run = finished.load("bear")
    outcome = results({"bear": run}, {})
    assert (outcome["A"], outcome["A_recall"], outcome["A_decay"]) == (0.75, 0.5, 0.5)  # one half is not above one half
    assert outcome["sequences"]["bear"]["A"] == outcome["sequences"]["bear"]["objects"]["1"]["A"] == 0.75
    assert [column.header for column in results_table(outcome, "").columns] == ["sequence", "J&F", "J", "F", "A"]
    table = pd.read_csv(write_results(outcome, tmp_path / "job" / "results.json"))
    assert table["A"].tolist() == [0.75]
    (tmp_path / "job" / ".hydra").mkdir()
    (tmp_path / "job" / ".hydra" / "overrides.yaml").write_text("[]")
    sweep, varied = collect_sweep(tmp_path)
    assert sweep["A"].tolist() == [75]
    metric = MeanScores()
    metric.update(run.scores)
    assert metric.compute()["A"].item() == pytest.approx(0.75)
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *args, **kwargs: drawn.append(figure))
    plot_sweep(sweep, varied, tmp_path / "sweep.png")
    plot_curves(pd.DataFrame({"step": [1, 2], "val/A": [0.5, 0.75]}), tmp_path / "curves.png")
    labels = [text.get_text() for figure in drawn for legend in _legends(figure) for text in legend.get_texts()]
    assert labels.count("A") == 2


def _legends(figure):
    return [axes.get_legend() for axes in figure.axes if axes.get_legend()]


def test_results_of_an_earlier_run_without_the_metric_are_refused(monkeypatch, tmp_path):
    """Means over a part of the sequences would look like means over all of them."""
    scorer = SequenceScorer("bear", [1])
    scorer.update(np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8))
    finished = FinishedSequences(tmp_path, {})
    finished.save("bear", SequenceRun(scorer.result(), 1, []))
    monkeypatch.setitem(METRICS, "A", accuracy_by_object)
    with pytest.raises(InputError, match="delete it"):
        finished.load("bear")
