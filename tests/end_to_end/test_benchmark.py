"""`vosmem benchmark` through the console script."""

import json

from tests.checkpoints.made import write_tiny
from tests.end_to_end.tiny import vosmem

SMALL = ["model=stm_tiny", "num_objects=[1]", "num_frames=[1]", "sizes=[[32,48]]", "min_seconds=0"]


def test_benchmark_writes_its_files(tmp_path):
    write_tiny(tmp_path / "tiny.safetensors")
    done = vosmem("benchmark", *SMALL, "checkpoint=tiny.safetensors", f"hydra.run.dir={tmp_path / 'run'}", cwd=tmp_path)
    content = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    (row,) = content["rows"]
    assert row["implementation"] == "fp32" and row["frames/s"] > 0
    positive = ["median ms", "floor ms", "peak MB", "encode ms", "read ms", "decode ms", "memorize ms"]
    assert all(row[column] > 0 for column in positive)
    assert "reading a JPEG of 48x32" in content["about"]["left out"]
    assert content["about"]["model"] == "STM of tiny.safetensors"
    for name in ("benchmark.md", "benchmark.png"):
        assert str(tmp_path / "run" / name) in done.stdout


def test_unusable_precision_is_reported_in_one_line(tmp_path):
    done = vosmem("benchmark", *SMALL, "device=cpu", "engines=[fp16]", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "slower than float32" in done.stderr and len(done.stderr.splitlines()) == 1
