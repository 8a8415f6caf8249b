"""A calibrated network is what a training starts with, and nothing of it is left to chance."""

import torch

from tests.end_to_end.tiny import TINY
from vosmem.commands import compose, make
from vosmem.commands.training import calibrated_network


def calibrated(stills, *overrides):
    own = [f"paths.stills={stills}", *TINY, "data.num_workers=0", *overrides]
    return calibrated_network(compose("train", "data=stills", *own))


def test_the_seed_decides_it(stills):
    one, same, other = (calibrated(stills, f"seed={seed}") for seed in (0, 0, 1))
    assert not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_its_keys_are_spread_and_without_batches_nothing_changes(stills):
    plain = calibrated(stills, "calibration.batches=0")
    torch.manual_seed(0)
    made = make(compose("train", "data=stills", *TINY).model)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), made.parameters(), strict=True))
    frames = torch.rand(2, 3, 32, 32)
    assert calibrated(stills).encode_query(frames).key.std() > 2 * plain.encode_query(frames).key.std()
