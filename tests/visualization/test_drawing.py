"""Drawings: what is tinted, and one table of metrics from a run and its resumptions."""

import numpy as np
import pandas as pd
import torch
from PIL import Image

from vosmem.visualization.curves import collect_metrics, plot_curves
from vosmem.visualization.overlay import COLOURS, overlay, overlay_strip


def test_background_stays_and_objects_get_their_colour():
    frame, labels = np.full((12, 16, 3), 100, np.uint8), np.zeros((12, 16), np.uint8)
    labels[2:8, 2:8], labels[2:8, 10:15] = 1, 2
    drawn = overlay(frame, labels)
    assert (drawn[labels == 0] == 100).all()
    assert np.array_equal(drawn[4, 4], (50 + COLOURS[0] / 2).astype(np.uint8))
    assert np.array_equal(drawn[2, 12], COLOURS[1])  # the outline is the full colour
    assert (frame == 100).all()  # the input is not drawn on


def test_a_strip_holds_a_line_for_each_sequence(tmp_path):
    frame, labels = torch.zeros(3, 20, 30, dtype=torch.uint8), torch.zeros(20, 30, dtype=torch.uint8)
    path = overlay_strip([(frame, labels, frame, None, labels)] * 2, tmp_path / "strip.png", height=40)
    with Image.open(path) as image:
        assert 4 * 60 <= image.size[0] < 5 * 60 and image.size[1] >= 2 * 40


def test_a_strip_has_a_column_for_each_prediction(tmp_path):
    frame, labels = torch.full((3, 40, 60), 100, dtype=torch.uint8), torch.zeros(40, 60, dtype=torch.uint8)
    row = frame, labels, frame, labels, labels, torch.ones_like(labels)
    path = overlay_strip([row], tmp_path / "strip.png", height=40, predictions=("before training", "after training"))
    with Image.open(path) as image:
        before, after = (np.asarray(image)[30:60, column + 10 : column + 50] for column in (3 * 64, 4 * 64))
    assert (before == 100).all() and not (after == 100).all()


def write_log(folder, steps, loss):
    folder.mkdir(parents=True)
    pd.DataFrame({"step": steps, "train/loss": loss, "val/J&F": 0.5}).to_csv(folder / "metrics.csv", index=False)


def test_steps_done_twice_count_once(tmp_path):
    write_log(tmp_path / "csv" / "version_0", [1, 2, 3, 4], 9.0)
    write_log(tmp_path / "csv" / "version_1", [3, 4, 5], 1.0)
    metrics = collect_metrics(tmp_path)
    assert metrics["step"].tolist() == [1, 2, 3, 4, 5]
    assert metrics["train/loss"].tolist() == [9, 9, 1, 1, 1]
    with Image.open(plot_curves(metrics, tmp_path / "curves.png")) as image:
        assert image.size[0] > 500


def test_what_a_later_log_does_not_say_of_its_first_step_stays(tmp_path):
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
