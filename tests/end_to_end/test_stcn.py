"""Random weights in STCN's published layout are converted and accepted by every command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import write_davis
from tests.end_to_end.tiny import vosmem
from tests.reference_stcn import stcn_state_dict
from tests.segmentation.made import write_frames
from vosmem import load
from vosmem.app.session import Session
from vosmem.app.uploads import Limits

pytestmark = pytest.mark.slow
FRAMES, SIZE = 3, (48, 80)
CPU = "--device", "cpu"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stcn")
    torch.save(stcn_state_dict(55), folder / "published.pth")  # known by its entries, not by its name
    done = vosmem("convert", "published.pth", "stcn.safetensors", "--dtype", "fp32", cwd=folder)
    assert "MIT" in done.stderr and done.stderr.count("\n") == 1
    write_frames(folder / "frames", folder / "mask.png", FRAMES, SIZE)
    write_davis(folder / "davis", {"one": 1}, frames=FRAMES)
    return folder


def test_segment_takes_both_files_and_says_how_it_ran(folder):
    for name, weights in (("a", "published.pth"), ("b", "stcn.safetensors")):
        options = ("--weights", weights, "--output", name, "--write", "masks", *CPU)
        vosmem("segment", "frames", "--mask", "mask.png", *options, cwd=folder)
    masks = [[path.read_bytes() for path in sorted((folder / name / "masks").iterdir())] for name in ("a", "b")]
    assert masks[0] == masks[1] and len(masks[0]) == FRAMES
    about = json.loads((folder / "b" / "run.json").read_text())["about"]
    assert about["network"]["conventions"]["border"] == "mean" and about["memory"]["include_last"] is False
    assert {key: about["inference"][key] for key in ("top_k", "zoom", "short_side")} == {
        "top_k": 20,
        "zoom": 1.0,
        "short_side": 480,
    }


def test_what_the_user_chooses_wins(folder):
    chosen = ("--top-k", "0", "--zoom", "2", "--size", "0", "--include-last")
    options = ("--weights", "stcn.safetensors", "--output", "c", "--write", "masks", *CPU, *chosen)
    vosmem("segment", "frames", "--mask", "mask.png", *options, cwd=folder)
    about = json.loads((folder / "c" / "run.json").read_text())["about"]
    assert about["memory"]["include_last"] is True
    assert {key: about["inference"][key] for key in ("top_k", "zoom", "short_side")} == {
        "top_k": None,
        "zoom": 2.0,
        "short_side": None,
    }


def test_evaluate_takes_it(folder):
    arguments = ("checkpoint=stcn.safetensors", "eval_set=davis17", "eval_set.root=davis", "device=cpu")
    vosmem("evaluate", *arguments, "paths.output_dir=scores", cwd=folder)
    assert json.loads((folder / "scores" / "results.json").read_text())["num_objects"] == 1


def test_benchmark_takes_it(folder):
    small = (
        "num_objects=[1]",
        "num_frames=[2]",
        "sizes=[[48,80]]",
        "min_seconds=0",
        "hydra.run.dir=times",
        "device=cpu",
    )
    vosmem("benchmark", "checkpoint=stcn.safetensors", *small, cwd=folder)
    assert json.loads((folder / "times" / "benchmark.json").read_text())["rows"][0]["median ms"] > 0


def test_the_page_takes_it(folder, tmp_path):
    segmenter = load(folder / "stcn.safetensors", device="cpu")
    session = Session(tmp_path / "mine", segmenter, Limits(), None)
    session.open(sorted((folder / "frames").iterdir()))
    session.draw(0, 1, [(20, 20)], 8)
    list(session.propagate("forward"))
    assert session.project.results.done == frozenset(range(FRAMES))
    session.close()


def test_export_says_how_it_is_run(folder):
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"needs {package} (the extra `export`)")
    vosmem("export", "stcn.safetensors", "graphs", cwd=folder)
    about = json.loads((folder / "graphs" / "network.json").read_text())
    assert about["memory"] == {"include_last": False, "border_masks": True, "aggregate_given": True}
    np.testing.assert_allclose(about["frame"]["border"], [0.485, 0.456, 0.406], rtol=1e-6)
    assert about["licence"] is not None and "MIT" in about["licence"]
