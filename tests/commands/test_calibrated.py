"""A calibrated network is the start of a training and depends only on the seed."""

import torch

from tests.end_to_end.tiny import TINY
from vosmem.commands import compose, make
from vosmem.commands.training import calibrated_network


def calibrated(images, *overrides):
    own = [f"paths.images={images}", *TINY, "datamodule.num_workers=0", *overrides]
    return calibrated_network(compose("train", "datamodule=images", *own))


def test_calibration_depends_on_the_seed(images):
    one, same, other = (calibrated(images, f"seed={seed}") for seed in (0, 0, 1))
    assert not one.training
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_calibration_spreads_keys_and_needs_batches(images):
    plain = calibrated(images, "calibration.batches=0")
    torch.manual_seed(0)
    made = make(compose("train", "datamodule=images", *TINY).model)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), made.parameters(), strict=True))
    frames = torch.rand(2, 3, 32, 32)
    assert calibrated(images).encode_query(frames).key.std() > 2 * plain.encode_query(frames).key.std()
