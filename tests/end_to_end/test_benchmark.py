"""`vosmem benchmark` through the console script."""

import json

import pytest

from tests.checkpoints.made import write_tiny
from tests.conftest import ROOT
from tests.end_to_end.tiny import vosmem

SMALL = ["model=stm_tiny", "num_objects=[1]", "num_frames=[1]", "sizes=[[32,48]]", "repeats=1"]


def test_a_benchmark_ends_with_its_files(tmp_path):
    write_tiny(tmp_path / "tiny.safetensors")
    done = vosmem("benchmark", *SMALL, "checkpoint=tiny.safetensors", f"hydra.run.dir={tmp_path / 'run'}", cwd=tmp_path)
    content = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    (row,) = content["rows"]
    assert row["implementation"] == "fp32" and set(row["parts"]) == {"encode", "read", "decode", "memorize"}
    assert row["median_ms"] > 0 and row["peak_mb"] > 0 and row["rate"] > 0
    assert "left out" in content["about"]["reference"]  # its module is in the repository alone
    assert content["about"]["model"] == "STM of tiny.safetensors"
    for name in ("benchmark.md", "benchmark.png"):
        assert str(tmp_path / "run" / name) in done.stdout


def test_what_is_of_no_use_is_said_in_a_line(tmp_path):
    done = vosmem("benchmark", *SMALL, "device=cpu", "engines=[fp16]", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "slower than float32" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_plain_network_takes_part_with_random_weights(tmp_path):
    """They have the published layout but nobody's licence."""
    sizes = ["num_objects=[1]", "num_frames=[1]", "sizes=[[48,64]]", "repeats=1"]
    done = vosmem("benchmark", "model=stm", *sizes, f"hydra.run.dir={tmp_path}", cwd=ROOT)
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert [row["implementation"] for row in rows] == ["reference", "fp32"] and rows[1]["error"] < 1e-4
    assert "CC BY-NC-SA" not in done.stderr
