"""The int8 experiment: convolutions are quantised, with nearly the same output."""

import numpy as np
import pytest

from tests.golden_video import video
from tests.segmentation.made import write_checkpoint

onnx = pytest.importorskip("onnx", reason="the experiment needs ONNX Runtime: pip install 'vosmem[export]'")
pytestmark = pytest.mark.slow


def test_both_are_scored_and_nearly_equal(tmp_path, monkeypatch, capsys):
    from benchmarks import int8

    checkpoint = str(write_checkpoint(tmp_path / "tiny.ckpt"))
    scene = ["eval_set.scene.num_frames=3", "eval_set.scene.height=48", "eval_set.scene.width=80"]
    given = [checkpoint, "--count", "1", "--output", str(tmp_path), "eval_set=rendered", "eval_set.count=1", *scene]
    monkeypatch.setattr("sys.argv", ["int8", *given])
    int8.main()
    table = capsys.readouterr().out
    assert "rendered_0000 fp32" in table and "rendered_0000 int8" in table

    for name in int8.QUANTISED:
        kinds = [node.op_type for node in onnx.load(tmp_path / "int8" / f"{name}.onnx").graph.node]
        assert kinds.count("DequantizeLinear") >= kinds.count("Conv") > 0
    frames, labels = video(3, 48, 80, 1, seed=0)
    found = []
    for folder in ("fp32", "int8"):
        segmenter = int8.Segmenter(tmp_path / folder)
        found.append([segmenter.step(frame, labels[0] if t == 0 else None) for t, frame in enumerate(frames)])
    apart = np.abs(np.array(found[0]) - np.array(found[1]))
    assert 0 < apart.max() < 0.2
