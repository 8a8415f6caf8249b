"""Exported graphs give the network's output, also for sizes and numbers of objects other than the traced ones."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.checkpoints.made import MODELS, write_tiny
from tests.conftest import ROOT
from tests.end_to_end.tiny import vosmem
from tests.golden_video import video
from vosmem import load
from vosmem.errors import InputError
from vosmem.export import onnx

EXAMPLE = ROOT / "examples" / "onnx_segment.py"
TOLERANCE = 1e-4  # of probabilities; ten frames stayed within 3e-6 where this was written
AGREEMENT = 0.999  # of pixels; one of 57,340 differed there


def exported(name: str, folder: Path) -> Path:
    """The graphs of a tiny network, exported by the console script, and its weights."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs {package} (the extra `export`)")
    write_tiny(folder / f"{name}.safetensors", name, "fp32")
    vosmem("export", f"{name}.safetensors", name, cwd=folder)
    return folder / name


@pytest.fixture(scope="module")
def graphs(request, tmp_path_factory) -> Path:
    return exported(request.param, tmp_path_factory.mktemp("graphs"))


NETWORKS = [pytest.param(name, marks=pytest.mark.slow) for name in MODELS]


@pytest.mark.parametrize("graphs", NETWORKS, indirect=True)
@pytest.mark.parametrize(("num_objects", "size"), [(1, (48, 80)), (3, (48, 80)), (1, (61, 94)), (3, (61, 94))])
def test_graphs_segment_ten_frames_as_pytorch_does(graphs, num_objects, size):
    frames, labels = video(10, *size, num_objects, seed=3)
    found = example().Segmenter(graphs)
    expected = load(graphs.with_suffix(".safetensors"), device="cpu").stream(zoom=1.0)  # graphs know no windows
    worst, agreeing = 0.0, []
    for t in range(10):
        given = labels[0] if t == 0 else None
        probs, own = found.step(frames[t], given), expected.step(frames[t], given).probs.numpy()
        assert probs.dtype == np.float32 and probs.shape == own.shape == (num_objects + 1, *size)
        worst = max(worst, float(np.abs(probs - own).max()))
        agreeing.append((probs.argmax(axis=0) == own.argmax(axis=0)).mean())
    assert worst < TOLERANCE and np.mean(agreeing) > AGREEMENT, (worst, np.mean(agreeing))
    assert len(found.kept) == 2  # frames 0 and 5


def example():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("onnx_segment", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WITHOUT_TORCH = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"torch", "vosmem", "onnx", "cv2"}, loaded
"""


@pytest.mark.slow
@pytest.mark.parametrize("graphs", ["stm"], indirect=True)
def test_example_needs_no_torch(graphs, tmp_path):
    frames, labels = video(11, 48, 80, 2)
    (tmp_path / "frames").mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{t}.png")  # 2 comes before 10
    ids = np.array([0, 4, 9], np.uint8)[labels[0]]
    mask = Image.fromarray(ids)
    mask.putpalette(list(range(48)))  # a short one
    mask.save(tmp_path / "mask.png")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(EXAMPLE), str(graphs), "frames", "mask.png", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    stream = load(graphs.with_suffix(".safetensors"), device="cpu").stream(zoom=1.0)  # graphs know no windows
    for t, frame in enumerate(frames):
        expected = stream.step(frame, ids if t == 0 else None).ids.numpy()
        written = np.asarray(Image.open(tmp_path / "out" / f"{t}.png"))
        assert (written == expected).mean() > AGREEMENT
    assert len(list((tmp_path / "out").iterdir())) == 11


@pytest.mark.slow
@pytest.mark.parametrize("graphs", ["remn"], indirect=True)
def test_description_names_inputs_and_outputs_of_the_graphs(graphs):
    about = json.loads((graphs / "network.json").read_text())
    assert about["model"] == MODELS["remn"] and about["stride"] == 16
    assert about["normalisation"]["mean"] == [0.485, 0.456, 0.406]
    assert about["graphs"]["encode_memory"]["inputs"]["masks"] == [1, "K", "16*h", "16*w"]
    assert about["graphs"]["read_memory"]["inputs"]["memory_key"] == [1, 8, "T", "h", "w"]  # all objects share it
    assert {path.name for path in graphs.iterdir()} == {
        *(graph["file"] for graph in about["graphs"].values()),
        "network.json",
    }


def test_failed_export_is_reported_in_one_line(small_stm, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"export needs onnx and onnxscript: pip install 'vosmem\[export\]'"):
        onnx.export_onnx(small_stm, tmp_path / "out", {})
    monkeypatch.undo()
    monkeypatch.setattr(onnx, "_write", lambda graph, path: (_ for _ in ()).throw(OSError(28, "No space left")))
    if importlib.util.find_spec("onnx"):
        with pytest.raises(InputError, match=r"cannot be written to \(No space left\)"):
            onnx.export_onnx(small_stm, tmp_path / "out", {})
    assert not (tmp_path / "out").exists()


def test_graphs_are_traced_with_distinct_sizes(small_network):
    from vosmem.export.graphs import graphs_of

    for graph in graphs_of(small_network).values():
        assert set(graph.axes) == set(graph.arguments)
        with torch.no_grad():
            made = graph.module(**graph.arguments)
        assert len(graph.outputs) == (len(made) if isinstance(made, tuple) else 1)
