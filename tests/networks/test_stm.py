"""STM: its size, and the effect of its initialisation."""

import pytest
import torch

from vosmem.checkpoints.loading import load_network
from vosmem.errors import InputError
from vosmem.networks import STM


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


def test_matched_initialisation_matches_equal_cells():
    key, value, query = encode(start("matched"), torch.zeros(1, 1, 32, 32))
    torch.testing.assert_close(key, query.key)
    torch.testing.assert_close(value, query.value)


def test_independent_initialisation_does_not():
    key, _, query = encode(start("independent"), torch.rand(1, 1, 32, 32))
    similarity = torch.nn.functional.cosine_similarity(key.flatten(), query.key.flatten(), dim=0)
    assert similarity < 0.9 and key.norm() > 0 and query.key.norm() > 0  # 1 for equal heads


def test_unknown_initialisation_is_refused():
    with pytest.raises(InputError, match="independent, matched"):
        STM(backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="none", init="x")


WIDTHS = {"key_channels": 64, "value_channels": 112, "decoder_channels": 64}


def test_bundled_weights_fill_the_parts_that_fit():
    network, bundled = STM(backbone="resnet18", **WIDTHS, weights="bundled"), load_network("remn_small")
    for own, part in (
        (network.query_encoder, bundled.key_encoder),
        (network.query_head.key, bundled.key),
        (network.memory_head.key, bundled.key),
        (network.query_head.value, bundled.query_value),
        (network.decoder, bundled.decoder),
        (network.memory_encoder.mask_convs, bundled.value_encoder.mask_convs),
    ):
        own_state, part_state = (
            {name: value for name, value in module.state_dict().items() if name not in ("mean", "std")}
            for module in (own, part)
        )
        torch.testing.assert_close(own_state, part_state)
    mean = network.memory_encoder.layer3[1].conv2.weight
    ends = [encoder.layer3[1].conv2.weight for encoder in (bundled.key_encoder, bundled.value_encoder)]
    torch.testing.assert_close(mean, 0.7 * ends[0] + 0.3 * ends[1])


def test_parts_of_other_widths_keep_their_random_weights():
    torch.manual_seed(0)
    network = STM(backbone="resnet18", key_channels=64, value_channels=8, decoder_channels=8, weights="bundled")
    bundled = load_network("remn_small")
    assert torch.equal(network.query_encoder.layer3[0].conv1.weight, bundled.key_encoder.layer3[0].conv1.weight)
    assert torch.equal(network.query_head.key.weight, bundled.key.weight)
    assert network.query_head.value.weight.shape[0] == 8 and network.decoder.predict.weight.abs().max() < 0.2


def test_bundled_weights_need_a_resnet18():
    with pytest.raises(InputError, match="'bundled' do not fit resnet50"):
        STM(backbone="resnet50", **WIDTHS, weights="bundled")
