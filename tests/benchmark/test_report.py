"""Figures and files of `vosmem benchmark`."""

import json
import sys

import pytest
import torch

from vosmem.benchmark.cases import Case, cases
from vosmem.benchmark.machine import peak_mb, reset_peak, seconds_of
from vosmem.benchmark.report import time_engine, write_report
from vosmem.inference.engine.engine import Engine
from vosmem.networks import STM
from vosmem.networks.cost import FrameCost


def test_each_list_is_varied_with_the_others_at_their_first_entry():
    found = cases([2, 4], [5, 1, 9], [(10, 20), (30, 40)])
    assert found == [(2, 5, 10, 20), (2, 1, 10, 20), (2, 9, 10, 20), (4, 5, 10, 20), (2, 5, 30, 40)]


def test_figures_of_an_engine_and_its_files(tmp_path):
    network = STM(backbone="resnet10", key_channels=8, value_channels=8, decoder_channels=8, weights="none").eval()
    todo, cost = [Case(1, 1, 32, 48), Case(2, 1, 32, 48)], FrameCost(1.0, 2.0, 3.0, 4.0)
    rows = list(time_engine("fp32", network, Engine(torch.device("cpu")), todo, lambda case: cost, min_seconds=0))
    for row, case in zip(rows, todo, strict=True):
        assert (row["K"], row["T"], row["height"], row["width"]) == case
        assert 0 < row["median ms"] <= row["slowest ms"] and row["measurements"] >= 1
        assert row["times the floor"] == pytest.approx(row["median ms"] / row["floor ms"])
        assert all(row[f"{part} ms"] > 0 for part in ("encode", "read", "decode", "memorize"))
    files = write_report({"model": "STM on resnet10", "device": "cpu"}, rows, tmp_path / "new")
    assert json.loads(files["json"].read_text())["rows"] == rows
    text = files["md"].read_text()
    assert "| fp32 | 2 | 1 |" in text and "* device: cpu" in text
    assert files["png"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the peak resident size")
def test_peak_memory_is_that_of_the_last_call():
    peaks = []
    for megabytes in (300, 60):
        before = reset_peak(torch.device("cpu"))
        tensor = torch.ones(megabytes * 2**18)
        peaks.append(peak_mb(torch.device("cpu")) - before)
        del tensor
    assert peaks[0] == pytest.approx(300, abs=30) and peaks[1] == pytest.approx(60, abs=30)


def test_a_call_is_timed_at_least_once():
    calls = []
    assert len(seconds_of(lambda: calls.append(1), 0)) >= 1 and calls


def test_times_include_the_work_of_any_accelerator(monkeypatch):
    """The work is queued: without a wait only its start would be timed."""
    waits = []
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.accelerator.synchronize", lambda: waits.append(1))
    assert len(seconds_of(lambda: None, 0.0)) and len(waits) >= 2
