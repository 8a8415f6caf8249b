"""The network: its size, its symmetries, and what its initialisation promises."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.networks import STM, initialisation


def test_size_of_the_papers_network():
    network = STM(backbone="resnet50", key_channels=128, value_channels=512, decoder_channels=256, weights="none")
    assert sum(p.numel() for p in network.parameters()) == 38_925_570


def start(init: str) -> STM:
    return STM(
        backbone="resnet18", key_channels=8, value_channels=16, decoder_channels=8, weights="none", init=init
    ).eval()


def encode(network, masks):
    frames = torch.rand(1, 3, 32, 32)
    memory, query = network.encode_memory(frames, masks), network.encode_query(frames)
    return memory.key[:, :, 0], memory.value[:, :, 0], query


def test_matched_start_finds_equal_cells():
    key, value, query = encode(start("matched"), torch.zeros(1, 1, 32, 32))
    torch.testing.assert_close(key, query.key)
    torch.testing.assert_close(value, query.value)


def test_mask_lane_brings_the_mask_to_the_value_and_not_to_the_key(monkeypatch):
    monkeypatch.setattr(initialisation, "RESIDUAL_SCALE", 0.0)  # the residual branches mix the lane, if only a little
    network, frames = start("mask_lane"), torch.rand(1, 3, 32, 32)
    masks = torch.zeros(2, 1, 1, 32, 32)
    masks[1, ..., :16, :] = 1
    without, within = (network.encode_memory(frames, mask) for mask in masks)
    torch.testing.assert_close(within.key, without.key)
    assert (within.value - without.value).norm() > 0.02 * without.value.norm()


def test_mask_lane_is_for_random_starts():
    with pytest.raises(InputError, match="init=matched"):
        STM(
            backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="x.pth", init="mask_lane"
        )


def test_independent_start_does_not():
    key, _, query = encode(start("independent"), torch.rand(1, 1, 32, 32))
    alike = torch.nn.functional.cosine_similarity(key.flatten(), query.key.flatten(), dim=0)
    assert alike < 0.9 and key.norm() > 0 and query.key.norm() > 0  # 1 where they start alike


def test_unknown_start_is_refused():
    with pytest.raises(InputError, match="independent, matched, mask_lane"):
        STM(backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="none", init="x")
