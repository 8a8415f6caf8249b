"""A calibrated network is what a training starts with, and nothing of it is left to chance."""

import torch

from tests.end_to_end.tiny import TINY
from vosmem.build import compose, make
from vosmem.build.training import calibrated_network

CONFIG = ["data=embedded", *TINY, "data.num_workers=0", "data.samples_per_epoch=6"]


def test_the_seed_decides_it():
    one, same, other = (calibrated_network(compose("train", *CONFIG, f"seed={seed}")) for seed in (0, 0, 1))
    assert not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_its_keys_are_centred_and_without_batches_nothing_changes():
    plain = calibrated_network(compose("train", *CONFIG, "calibration.batches=0"))
    torch.manual_seed(0)
    made = make(compose("train", *CONFIG).model)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), made.parameters(), strict=True))
    calibrated = calibrated_network(compose("train", *CONFIG))
    frames = torch.rand(2, 3, 32, 32)
    assert calibrated.encode_query(frames).key.std() > 2 * plain.encode_query(frames).key.std()
