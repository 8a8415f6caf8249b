"""The benchmark of long videos measures every frame and distinguishes growth from constant cost."""

import subprocess
import sys

import pandas as pd
import pytest
from benchmarks.long_video import draw, summary

from tests.conftest import ROOT


def test_growth_is_told_from_flatness(tmp_path):
    t = pd.Series(range(100))
    same = {"t": t, "memory_mb": 1.0, "memory_frames": 4}
    flat = pd.DataFrame({**same, "ms": 10.0, "resident_mb": 500.0, "variant": "flat"})
    growing = pd.DataFrame({**same, "ms": 10.0 + t, "resident_mb": 500.0 + t, "variant": "growing"})
    table = pd.concat([growing, flat], ignore_index=True)
    lines = summary(table).set_index("variant")
    assert list(lines.index) == ["growing", "flat"]
    assert lines.loc["flat", ["ms, second tenth", "ms, last tenth"]].tolist() == [10, 10]
    assert lines.loc["growing", ["ms, second tenth", "ms, last tenth"]].tolist() == [24.5, 104.5]
    assert lines.loc["growing", "resident MB, last"] == 599
    draw(table, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.slow
def test_every_frame_of_every_variant_is_measured(tmp_path):
    options = ["--frames", "21", "--size", "32", "48", "--objects", "1", "--period", "6"]
    variants = ["two: model=stm_tiny memory.max_frames=2", "all: model=stm_tiny memory.interval=1"]
    variants += ["gated: model=stm_tiny model.gate=true memory=dynamic memory.interval=1 memory.max_frames=3"]
    command = [sys.executable, "-m", "benchmarks.long_video", str(tmp_path), *variants, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "long_video.csv")
    kept = {name: own.set_index("t")["memory_frames"] for name, own in table.groupby("variant")}
    assert all(list(frames.index) == list(range(21)) for frames in kept.values())
    assert kept["two"].max() <= 2 and kept["all"][20] > 15 and kept["gated"].max() == 3
    bad = subprocess.run([*command[:4], "bad: model=nothing"], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert bad.returncode and not bad.stdout
