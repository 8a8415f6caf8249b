"""Overlays, and one table of metrics from a run and its resumptions."""

import numpy as np
import pandas as pd
from PIL import Image

from vosmem.visualization.curves import collect_metrics, plot_curves
from vosmem.visualization.overlay import COLOURS, overlay


def test_background_is_unchanged_and_objects_get_their_colour():
    frame, labels = np.full((12, 16, 3), 100, np.uint8), np.zeros((12, 16), np.uint8)
    labels[2:8, 2:8], labels[2:8, 10:15] = 1, 2
    drawn = overlay(frame, labels)
    assert (drawn[labels == 0] == 100).all()
    assert np.array_equal(drawn[4, 4], (50 + COLOURS[0] / 2).astype(np.uint8))
    assert np.array_equal(drawn[2, 12], COLOURS[1])  # the outline is the full colour
    assert (frame == 100).all()  # the input is not drawn on


def write_log(folder, steps, loss):
    folder.mkdir(parents=True)
    pd.DataFrame({"step": steps, "train/loss": loss, "val/J&F": 0.5}).to_csv(folder / "metrics.csv", index=False)


def test_the_later_log_of_a_step_counts(tmp_path):
    write_log(tmp_path / "csv" / "version_0", [1, 2, 3, 4], 9.0)
    write_log(tmp_path / "csv" / "version_1", [3, 4, 5], 1.0)
    metrics = collect_metrics(tmp_path)
    assert metrics["step"].tolist() == [1, 2, 3, 4, 5]
    assert metrics["train/loss"].tolist() == [9, 9, 1, 1, 1]
    with Image.open(plot_curves(metrics, tmp_path / "curves.png")) as image:
        assert image.size[0] > 500


def test_values_missing_in_a_later_log_are_kept_from_the_earlier(tmp_path):
    """A training that goes on with the validation of a step whose loss is logged already."""
    write_log(tmp_path / "csv" / "version_0", [1, 2], 9.0)
    later = pd.DataFrame({"step": [2, 3], "train/loss": [None, 1.0], "val/J&F": [0.7, None]})
    (tmp_path / "csv" / "version_1").mkdir()
    later.to_csv(tmp_path / "csv" / "version_1" / "metrics.csv", index=False)
    (tmp_path / "csv" / "version_0" / "metrics.csv").write_text("step,train/loss,val/J&F\n1,9,\n2,9,\n")
    metrics = collect_metrics(tmp_path)
    assert metrics[["step", "train/loss"]].dropna().values.tolist() == [[1, 9], [2, 9], [3, 1]]
    assert metrics[["step", "val/J&F"]].dropna().values.tolist() == [[2, 0.7]]


def test_a_run_without_logs_has_no_curves(tmp_path):
    assert collect_metrics(tmp_path) is None
