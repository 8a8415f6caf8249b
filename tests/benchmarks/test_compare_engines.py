"""The comparison of engines: slopes, floors, files, and a run with the plain network."""

import json
import subprocess
import sys

import pytest
from benchmarks.compare_engines import figures, write_comparison
from benchmarks.comparison import CaseResult
from benchmarks.growth import growth

from tests.conftest import ROOT
from vosmem.benchmark.cases import Case

ABOUT = {"model": "STM on resnet10", "device": "cpu"}
TINY = ["num_objects=[1]", "num_frames=[1]", "sizes=[[48,64]]", "device=cpu"]


def result(num_objects, num_frames, seconds, rate=100.0):
    gflop = {"encode": 1.0, "read": 0.5 * num_frames, "decode": 2.0 * num_objects, "memorize": 1.0}
    case = Case(num_objects, num_frames, 48, 64)
    return CaseResult("fp32", case, [seconds] * 3, gflop=gflop, rate=rate, parts=gflop)


RESULTS = [result(1, 5, 0.2), result(1, 1, 0.16), result(1, 9, 0.24), result(3, 5, 0.6, rate=200.0)]


def test_slopes_are_those_of_the_lines():
    by_axis = {line.axis: line for line in growth([*RESULTS[:3], result(3, 5, 0.6)])}
    assert by_axis["T"].slope_ms == pytest.approx(10) and by_axis["T"].work_ms == pytest.approx(5)
    assert by_axis["K"].slope_ms == pytest.approx(200) and by_axis["K"].work_ms == pytest.approx(20)
    assert "pixels" not in by_axis


def test_all_files_hold_the_same_figures(tmp_path):
    write_comparison(ABOUT, RESULTS, tmp_path / "new")
    content = json.loads((tmp_path / "new" / "benchmark.json").read_text())
    assert [entry["median_ms"] for entry in content["rows"]] == pytest.approx([200, 160, 240, 600])
    # The floor is by the best rate of all cases.
    assert content["rows"][0]["floor_ms"] == pytest.approx(1000 * 6.5 / 200)
    text = (tmp_path / "new" / "benchmark.md").read_text()
    assert "| fp32 | 3 | 5 |" in text and "* device: cpu" in text
    assert (tmp_path / "new" / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_columns_of_parts_are_empty_where_parts_are_not_separated():
    table = figures([CaseResult("plain", Case(1, 1, 48, 64), [1.0])])
    assert table["read ms"].isna().all() and table["floor ms"].isna().all()


def run(out, *arguments):
    command = [sys.executable, "-m", "benchmarks.compare_engines", str(out), *arguments, *TINY]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_plain_network_takes_part_with_random_weights(tmp_path):
    """Random weights in the published layout, which carry no licence."""
    done = run(tmp_path, "model=stm", "--repeats", "1")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert [row["implementation"] for row in rows] == ["reference", "fp32"] and rows[1]["error"] < 1e-4
    assert rows[1]["peak_mb"] > 0 and rows[1]["parts"].keys() == {"encode", "read", "decode", "memorize"}
    assert "CC BY-NC-SA" not in done.stderr


@pytest.mark.slow
def test_other_networks_are_compared_without_the_plain_network(tmp_path):
    done = run(tmp_path, "model=stm_tiny", "engines=[fp32]", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert row["implementation"] == "fp32" and len(row["seconds"]) == 2
