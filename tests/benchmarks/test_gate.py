"""The benchmark of gates distinguishes a constant count from a response to novelty."""

import subprocess
import sys

import pytest
import torch
from benchmarks.gate import COUNTS, NOVELTIES, kept_share

from tests.conftest import ROOT
from vosmem.networks.gate import INITIAL_BIAS, MemoryGate


def test_a_gate_that_has_learnt_nothing_says_the_same_of_all():
    found = [kept_share(MemoryGate(), novelty, count) for novelty in NOVELTIES for count in COUNTS]
    assert found == pytest.approx([torch.sigmoid(torch.tensor(INITIAL_BIAS)).item()] * len(found), abs=1e-5)


def test_one_that_looks_at_novelty_keeps_what_is_new():
    gate = MemoryGate()
    with torch.no_grad():
        gate.hidden.weight.zero_()
        gate.hidden.weight[0, 0], gate.hidden.bias[0], gate.stays.weight[0, 0] = 5.0, 5.0, 1.0
        gate.stays.bias.fill_(-5.0)
    found = [kept_share(gate, novelty, 8) for novelty in NOVELTIES]
    assert found == sorted(found, reverse=True) and found[0] > 0.9 and found[-1] < 0.1


@pytest.mark.slow
def test_a_network_without_a_gate_is_one_line():
    command = [sys.executable, "-m", "benchmarks.gate", "remn_small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and "remn_small has no gate: train one with phase=gate" in done.stderr
