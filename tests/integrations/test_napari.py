"""Labels of some frames become those of all later frames; the manifest is what napari expects."""

import importlib
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from integrations import napari
from tests.conftest import ROOT
from tests.golden_video import video
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter

COUNT, SIZE = 5, (32, 48)
FRAMES, LABELS = video(COUNT, *SIZE, 2)


@pytest.fixture
def segmenter(small_stm):
    return Segmenter(small_stm, Engine(torch.device("cpu")))


@pytest.fixture
def painted():
    """Labels with gaps in frames 1 and 3."""
    labels = np.zeros((COUNT, *SIZE), np.uint8)
    for t in (1, 3):
        labels[t] = np.array([0, 7, 40], np.uint8)[LABELS[t]]
    return labels


def test_the_painted_frames_are_given_and_earlier_ones_stay(segmenter, painted):
    given = napari.check_layers(FRAMES, painted, rgb=True)
    assert given == [1, 3]
    found = dict(napari.propagated(FRAMES, painted, given, segmenter, 480, None))
    assert list(found) == [1, 2, 3, 4]
    masks = {0: painted[1], 2: painted[3]}
    expected = [one.ids.numpy() for one in segmenter.propagate(list(FRAMES[1:]), masks, short_side=480)]
    assert np.array_equal(np.stack(list(found.values())), np.stack(expected))
    assert np.array_equal(found[1], painted[1]) and found[2].dtype == painted.dtype


def test_only_one_frame_can_be_given(painted):
    assert napari.check_layers(FRAMES, painted, rgb=True, only=3) == [3]
    with pytest.raises(InputError, match=r"frame 2 has no labels: paint"):
        napari.check_layers(FRAMES, painted, rgb=True, only=2)
    with pytest.raises(InputError, match=r"no frame has labels: paint"):
        napari.check_layers(FRAMES, np.zeros_like(painted), rgb=True)


def test_layers_of_other_shapes_are_an_error(painted):
    with pytest.raises(InputError, match=r"labels have shape \(4, 32, 48\), the video \(5, 32, 48\)"):
        napari.check_layers(FRAMES, painted[:4], rgb=True)
    with pytest.raises(InputError, match=r"choose a video of shape \(frames, height, width\)"):
        napari.check_layers(FRAMES[0], painted[0], rgb=True)


def test_all_kinds_of_pixels_become_rgb():
    rgba = np.full((1, 1, 4), 200, np.uint8)
    assert napari.as_rgb(rgba, None).tolist() == [[[200, 200, 200]]]
    assert napari.as_rgb(np.full((1, 1, 3), 65535, np.uint16), None).tolist() == [[[1, 1, 1]]]
    assert napari.as_rgb(np.full((1, 1, 3), 1.5), None).tolist() == [[[1, 1, 1]]]
    assert napari.as_rgb(np.array([[-3, 5]], np.int16), (0, 10)).tolist() == [[[0, 0, 0], [0.5, 0.5, 0.5]]]


def test_the_manifest_names_the_widget():
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(ROOT / "integrations" / "napari.yaml")
    (command,) = manifest.contributions.commands
    module, name = command.python_name.removeprefix("vosmem.").split(":")
    assert getattr(importlib.import_module(module), name) is napari.propagate
    assert manifest.contributions.widgets[0].command == command.id
    assert f"{manifest.name} = vosmem.integrations:napari.yaml" in Path(ROOT / "setup.cfg").read_text()


def test_the_widget_fills_a_layer_of_napari(segmenter, painted, monkeypatch):
    components = pytest.importorskip("napari.components")
    magicgui = pytest.importorskip("magicgui")
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    monkeypatch.setattr(napari, "_segmenter", lambda weights: segmenter)
    viewer = components.ViewerModel()
    image, labels = viewer.add_image(FRAMES, rgb=True), viewer.add_labels(painted.copy(), name="painted")
    magicgui.magicgui(napari.propagate)(viewer, image, labels)
    result = viewer.layers["painted propagated"]
    expected = dict(napari.propagated(FRAMES, painted, [1, 3], segmenter, 480, None))
    end = time.monotonic() + 60
    while time.monotonic() < end and not np.array_equal(result.data[4], expected[4]):
        application.processEvents()
        time.sleep(0.02)
    assert not result.data[0].any() and np.array_equal(labels.data, painted)
    for t, ids in expected.items():
        assert np.array_equal(result.data[t], ids)
