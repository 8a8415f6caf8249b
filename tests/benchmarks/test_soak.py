"""The soak test distinguishes growth from noise, and runs in both directions."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from benchmarks.soak import slope

from tests.conftest import ROOT


@pytest.mark.parametrize("rise", [0.0, 0.5])
def test_the_error_covers_the_slope(rise):
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(100):
        found = slope(rise * np.arange(3000) / 1000 + rng.normal(size=3000))
        covered.append(abs(found.per_thousand - rise) < found.error)
    assert sum(covered) >= 85  # two standard errors: about 95 of 100


def test_a_leak_is_seen():
    found = slope(500 + 0.01 * np.arange(10_000) + np.random.default_rng(0).normal(0, 2, 10_000))
    assert found.per_thousand > 5 * found.error > 0


@pytest.mark.slow
def test_both_ways(tmp_path):
    small = ["--frames", "40", "--size", "32", "48", "--period", "6", "--model", "stm_tiny"]
    command = [sys.executable, "-m", "benchmarks.soak", str(tmp_path), *small]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    times = {}
    for function in ("propagator", "segment"):
        path = tmp_path / f"{function}.csv"
        assert list(pd.read_csv(path)["t"]) == list(range(40))
        times[path] = path.stat().st_mtime_ns
    assert done.stdout.count("| segment |") == 2 and (tmp_path / "soak.png").stat().st_size > 5000
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=500)
    assert times == {path: path.stat().st_mtime_ns for path in times}, "what is whole is not run again"
