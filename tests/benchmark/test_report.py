"""Slopes, floors and files of a benchmark."""

import json

import pytest

from vosmem.benchmark.compare import Row
from vosmem.benchmark.growth import growth
from vosmem.benchmark.report import figures, write_report
from vosmem.benchmark.turns import Case

ABOUT = {"model": "STM on resnet10", "device": "cpu"}


def row(num_objects, num_frames, seconds, rate=100.0):
    gflop = {"encode": 1.0, "read": 0.5 * num_frames, "decode": 2.0 * num_objects, "memorize": 1.0}
    return Row("fp32", Case(num_objects, num_frames, 48, 64), [seconds] * 3, gflop=gflop, rate=rate, parts=gflop)


ROWS = [row(1, 5, 0.2), row(1, 1, 0.16), row(1, 9, 0.24), row(3, 5, 0.6, rate=200.0)]


def test_slopes_are_those_of_the_lines():
    by_axis = {line.axis: line for line in growth([*ROWS[:3], row(3, 5, 0.6)])}
    assert by_axis["T"].slope_ms == pytest.approx(10) and by_axis["T"].work_ms == pytest.approx(5)
    assert by_axis["K"].slope_ms == pytest.approx(200) and by_axis["K"].work_ms == pytest.approx(20)
    assert "pixels" not in by_axis


def test_the_files_say_the_same(tmp_path):
    files = write_report(ABOUT, ROWS, tmp_path / "new")
    content = json.loads(files["json"].read_text())
    assert [entry["median_ms"] for entry in content["rows"]] == pytest.approx([200, 160, 240, 600])
    # The floor is by the best rate that was measured, whichever case it was measured in.
    assert content["rows"][0]["floor_ms"] == pytest.approx(1000 * 6.5 / 200)
    text = files["md"].read_text()
    assert "| fp32 | 3 | 5 |" in text and "* device: cpu" in text
    assert files["png"].read_bytes().startswith(b"\x89PNG")


def test_parts_of_an_implementation_that_tells_none_stay_empty():
    plain = Row("plain", Case(1, 1, 48, 64), [1.0])
    table = figures([plain])
    assert table["read ms"].isna().all() and table["floor ms"].isna().all()
