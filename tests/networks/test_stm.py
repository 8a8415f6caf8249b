"""The network: its size, its symmetries, and what its initialisation promises."""

import pytest
import torch

from vosmem.errors import InputError
from vosmem.networks import STM, initialisation
from vosmem.networks.decoder import Decoder
from vosmem.shapes import Memory


def segment(network, masks, frames=None, valid=None):
    """Memorise frame 0 with the masks, segment frame 1; frames are (2, B, 3, H, W)."""
    frames = torch.rand(2, masks.shape[0], 3, *masks.shape[-2:]) if frames is None else frames
    memory = network.encode_memory(frames[0], masks, valid)
    valid = torch.ones(masks.shape[:2], dtype=torch.bool) if valid is None else valid
    return network.segment(network.encode_query(frames[1]), memory, valid)


def test_size_of_the_papers_network():
    network = STM(backbone="resnet50", key_channels=128, value_channels=512, decoder_channels=256, weights="none")
    assert sum(p.numel() for p in network.parameters()) == 38_925_570


def test_shapes_and_probabilities(small_stm):
    logits = segment(small_stm, torch.rand(2, 3, 32, 48))
    assert logits.shape == (2, 4, 32, 48)
    torch.testing.assert_close(logits.softmax(dim=1).sum(dim=1), torch.ones(2, 32, 48))


def test_objects_permute(small_stm):
    masks, frames = torch.rand(1, 3, 32, 32), torch.rand(2, 1, 3, 32, 32)
    order = [2, 0, 1]
    moved = segment(small_stm, masks[:, order], frames)
    torch.testing.assert_close(moved, segment(small_stm, masks, frames)[:, [0, 3, 1, 2]], rtol=1e-4, atol=1e-4)


def test_padded_slots_change_nothing(small_stm):
    masks, frames = torch.rand(2, 2, 32, 32), torch.rand(2, 2, 3, 32, 32)
    valid = torch.tensor([[True, True], [True, False]])
    masks[1, 1] = 0
    together = segment(small_stm, masks, frames, valid)
    alone = segment(small_stm, masks[1:, :1], frames[:, 1:])
    torch.testing.assert_close(together[1:, :2], alone, rtol=1e-4, atol=1e-4)
    assert (together[1, 2] == -torch.inf).all()


def test_a_batch_without_any_object_is_all_background(small_stm):
    valid = torch.zeros(1, 1, dtype=torch.bool)
    probs = segment(small_stm, torch.zeros(1, 1, 32, 32), valid=valid).softmax(dim=1)
    assert (probs[:, 0] == 1).all()


def test_gradient_reaches_every_parameter(small_stm):
    loss = segment(small_stm.train(), torch.rand(1, 2, 32, 32))[:, 1].mean()
    loss.backward()
    silent = [name for name, p in small_stm.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert silent == []


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
    assert not torch.allclose(key, query.key, atol=1e-2)


def test_unknown_start_is_refused():
    with pytest.raises(InputError, match="independent, matched, mask_lane"):
        STM(backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="none", init="x")


def test_the_decoder_predicts_the_softmax_of_its_two_channels():
    decoder = Decoder(value_channels=4, f8_channels=4, f4_channels=4, channels=4).double().eval()
    seen = []
    decoder.predict.register_forward_hook(lambda module, args, output: seen.append(output))
    owners = torch.zeros(1, dtype=torch.long)
    features = [torch.randn(1, 4, size, size, dtype=torch.float64) for size in (2, 2, 4, 8)]
    probs = decoder(*features, owners)
    upsampled = torch.nn.functional.interpolate(seen[0], scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(probs, upsampled.softmax(dim=1)[:, 1])


def test_one_remembered_frame_twice_reads_the_same(small_stm):
    frames, masks = torch.rand(1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    once = small_stm.encode_memory(frames, masks)
    twice = Memory(*(torch.cat([part, part], dim=2) for part in once))
    query = small_stm.encode_query(frames)
    torch.testing.assert_close(small_stm.segment(query, twice), small_stm.segment(query, once), rtol=1e-4, atol=1e-4)
