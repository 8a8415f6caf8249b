"""Implementations take turns in processes of their own; a process that dies is reported in one line."""

import sys

import numpy as np
import pytest
from benchmarks.comparison import compare, difference
from benchmarks.turns import Worker

from vosmem.benchmark.cases import Case
from vosmem.errors import InputError
from vosmem.networks.cost import FrameCost

WORKER = """
import time
import numpy as np
from benchmarks.turns import serve

class Sleeper:
    def __init__(self, settings):
        print("a library says something")
        self.seconds = settings["seconds"]
    def prepare(self, case):
        if case.num_objects == 13:
            raise SystemExit(9)
    def frame(self):
        time.sleep(self.seconds)
    def parts(self):
        return {"read": self.seconds}
    def step(self, case):
        return np.array([[[0.75, 0.5]], [[0.25, 0.5]]])
    def rate(self):
        return 100.0
    def peak_mb(self):
        return 12.5

serve(Sleeper)
"""
CASE = Case(1, 5, 32, 48)


def sleeper(seconds):
    return lambda: Worker("sleeper", [sys.executable, "-c", WORKER], {"seconds": seconds})


def test_comparison_collects_the_figures_of_each_implementation():
    exact = np.array([[[0.5, 0.25]], [[0.5, 0.75]]])
    starts = {"slow": sleeper(0.2), "fast": sleeper(0.02)}
    slow, fast = compare(starts, CASE, FrameCost(1.0, 2.0, 3.0, 4.0), repeats=2, exact=exact)
    assert len(slow.seconds) == len(fast.seconds) == 2
    assert min(slow.seconds) >= 0.2 and slow.ratio == 1
    assert fast.ratio > 2
    assert (fast.peak_mb, fast.parts) == (12.5, {"read": 0.02})
    assert fast.floor_ms == pytest.approx(1000 * 10 / 100)
    assert (fast.error, fast.flips) == (0.25, 0.5)


def test_process_that_ends_is_named_in_the_error(capfd):
    with sleeper(0)() as worker, pytest.raises(InputError, match="sleeper ended with status 9"):
        worker.prepare(Case(13, 1, 32, 48))
    with pytest.raises(InputError, match="broken ended with status 1"):
        Worker("broken", [sys.executable, "-c", "raise ValueError('no')"], {})
    assert "ValueError: no" in capfd.readouterr().err


def test_equal_probabilities_have_no_difference():
    exact = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    assert difference(exact, exact) == (0, 0)
