"""The GPU check: it continues, keeps the parts that are done, and reports a part that fails."""

import json
import subprocess

import pytest
import torch

from benchmarks import gpu_check, gpu_parts

CPU = torch.device("cpu")


@pytest.fixture
def parts(monkeypatch):
    """Two parts, the second of which fails at first; the list of the parts that ran."""
    ran, state = [], {"fails": True}

    def good(device, scale):
        ran.append("good")
        yield {"K": 1, "ms": 2.5}

    def bad(device, scale):
        ran.append("bad")
        yield {"ms": 1.0}
        if state["fails"]:
            raise RuntimeError("no kernel")

    monkeypatch.setattr(gpu_check, "PARTS", {"good": (good, "Good."), "bad": (bad, "Bad.")})
    return ran, state


def check(folder, *arguments):
    return gpu_check.main([str(folder), "--device", "cpu", "--scale", "tiny", *arguments])


def test_a_failed_part_is_reported_and_the_check_continues(tmp_path, parts, capsys):
    ran, state = parts
    assert check(tmp_path) == 1 and ran == ["good", "bad"]
    assert "bad failed: RuntimeError: no kernel" in capsys.readouterr().err
    page = (tmp_path / "gpu.md").read_text()
    assert "| 1 | 2.50 |" in page and "**Failed**: `RuntimeError: no kernel`" in page
    state["fails"] = False
    assert check(tmp_path) == 0 and ran == ["good", "bad", "bad"], "only the part that failed runs again"
    assert json.loads((tmp_path / "bad.json").read_text())["rows"] == [{"ms": 1.0}]
    assert check(tmp_path) == 0 and len(ran) == 3
    assert check(tmp_path, "--again", "good") == 0 and ran[3:] == ["good"]


def test_results_of_another_scale_are_not_kept(tmp_path, parts):
    ran, state = parts
    state["fails"] = False
    check(tmp_path)
    gpu_check.main([str(tmp_path), "--device", "cpu", "--scale", "full"])
    assert ran == ["good", "bad"] * 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_line_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit, match=r"\Agpu-check: device 'cuda' is not on this machine: .*\Z"):
        gpu_check.main([str(tmp_path)])


SLOW = pytest.mark.slow


@pytest.mark.parametrize("name", ["reads", pytest.param("memory", marks=SLOW), pytest.param("training", marks=SLOW)])
def test_parts_measure(name):
    rows = list(getattr(gpu_parts, name)(CPU, gpu_parts.TINY))
    assert {row["precision"].split(",")[0] for row in rows} >= {"fp32"}
    assert all(value is None or value >= 0 for row in rows for key, value in row.items() if key in ("ms", "error"))


@pytest.mark.slow
def test_a_wrong_network_fails_the_golden_runs(monkeypatch):
    """A difference beyond rounding is an error, not a figure."""
    name, run = next(iter(gpu_parts.RUNS.items()))

    def changed():
        network = run.load()
        network.decoder.predict.bias.data.add_(0.5)
        return network

    monkeypatch.setitem(gpu_parts.RUNS, name, run._replace(load=changed))
    with pytest.raises(RuntimeError, match="from the golden run"):
        list(gpu_parts.golden_runs(CPU, gpu_parts.TINY))


def test_failed_tests_are_listed(monkeypatch):
    """With their reasons, in the page that a user pastes."""
    output = "FAILED tests/a.py::test_x[cuda bf16] - RuntimeError: no kernel\n== 1 failed, 2 passed in 3.0s ==\n"
    done = subprocess.CompletedProcess([], 1, output, "")
    monkeypatch.setattr("benchmarks.gpu_parts.subprocess.run", lambda *arguments, **options: done)
    result = gpu_check.run_part(gpu_parts.run_tests, CPU, gpu_parts.TINY)
    assert "status 1" in result["error"]
    assert result["rows"] == [
        {"tests": "all", "outcome": "1 failed, 2 passed in 3.0s"},
        {"tests": "tests/a.py::test_x[cuda bf16]", "outcome": "RuntimeError: no kernel"},
    ]
