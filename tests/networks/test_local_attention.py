"""Local attention: no effect at its start or without masks, and its effect next to a similar object."""

import dataclasses

import pytest
import torch

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.engine.engine import Engine
from vosmem.memory.policy import EveryN
from vosmem.networks import REMN, STM, LocalAttention
from vosmem.networks.local_attention import Modulation
from vosmem.shapes import Clip, Memory, Prior, Query
from vosmem.training.unroll import unroll

WIDTHS = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8, "weights": "none"}
BOTH = LocalAttention(strength=0.5, locality=4.0)


def remn(local_attention=BOTH, trained=False, seed=0):
    torch.manual_seed(seed)
    network = REMN(backbone="resnet10", **WIDTHS, value_weights="none", local_attention=local_attention).eval()
    if trained:
        torch.nn.init.normal_(network.modulation.gain.weight)
    return network


def block(size=(64, 96), at=8, side=20):
    mask = torch.zeros(size, dtype=torch.uint8)
    mask[at : at + side, at : at + side] = 1
    return mask


def probabilities(network, frames, mask):
    propagator = Propagator(network, EveryN(interval=2))
    return torch.stack([propagator.step(frame, mask if t == 0 else None) for t, frame in enumerate(frames)])


def test_features_start_unchanged_and_change_by_at_most_the_strength():
    f16 = torch.randn(2, 8, 4, 6, dtype=torch.float64)
    prior = Prior(torch.rand(2, 3, 4, 6, dtype=torch.float64))
    modulation = Modulation(8).double()
    assert torch.equal(modulation(f16, prior, BOTH), f16)
    torch.nn.init.normal_(modulation.gain.weight, std=9)
    ratio = modulation(f16, prior, BOTH) / f16
    assert ratio.std() > 0.1 and ratio.min() > 0.5 - 1e-9 and ratio.max() < 1.5 + 1e-9
    assert torch.equal(modulation(f16, Prior(torch.zeros_like(prior.masks)), BOTH), f16)
    moved = prior._replace(masks=prior.masks[:, [2, 0, 1]])
    torch.testing.assert_close(modulation(f16, moved, BOTH), modulation(f16, prior, BOTH))


def test_number_of_parameters_on_a_resnet50():
    assert sum(p.numel() for p in Modulation(1024).parameters()) == 84_929


def test_without_local_attention_the_network_equals_its_base():
    """With untrained filters and no locality, every frame is exactly equal."""
    frames, mask = torch.rand(4, 3, 64, 96), block()
    base, fresh = remn(LocalAttention()), remn(LocalAttention(strength=0.5))
    fresh.load_state_dict(base.state_dict(), strict=False)
    assert torch.equal(probabilities(fresh, frames, mask), probabilities(base, frames, mask))
    trained = remn(trained=True)
    trained.load_state_dict(base.state_dict(), strict=False)
    assert not torch.equal(probabilities(trained, frames, mask), probabilities(base, frames, mask))
    trained.set_local_attention(LocalAttention())
    assert torch.equal(probabilities(trained, frames, mask), probabilities(base, frames, mask))


def test_a_lost_object_is_searched_everywhere():
    network = remn(trained=True)
    frames = torch.rand(1, 3, 64, 96)
    lost = network.encode_query(frames, Prior(torch.zeros(1, 2, 4, 6)))
    free = network.encode_query(frames)
    assert (lost.far == 0).all() and free.far is None
    torch.testing.assert_close(lost.key, free.key, rtol=0, atol=0)
    seen = network.encode_query(frames, Prior(torch.ones(1, 2, 4, 6)))
    assert not torch.equal(seen.key, free.key)


@pytest.mark.parametrize("make", [lambda: remn(trained=True), lambda: STM(backbone="resnet10", **WIDTHS).eval()])
def test_training_and_propagation_agree(make):
    network = make()
    network.set_local_attention(BOTH if network.modulates else LocalAttention(locality=4.0))
    frames = torch.randint(0, 256, (1, 4, 3, 64, 96), dtype=torch.uint8)
    labels = (block() + 2 * block(at=30))[None, None].expand(1, 4, -1, -1)
    with torch.no_grad():
        logits = unroll(network, Clip(frames, labels, torch.tensor([2]))).logits
    found = Propagator(network, EveryN(interval=1))
    probs = [found.step(frame, labels[0, 0] if t == 0 else None) for t, frame in enumerate(frames[0].float() / 255)]
    torch.testing.assert_close(torch.stack(probs[1:]), logits[0].softmax(dim=1), rtol=1e-4, atol=1e-5)


def test_objects_permute():
    network, frames = remn(trained=True), torch.rand(4, 3, 64, 96)
    one, two = block(at=4), block(at=36)
    straight, swapped = (probabilities(network, frames, mask) for mask in (one + 2 * two, 2 * one + two))
    torch.testing.assert_close(swapped, straight[:, [0, 2, 1]], rtol=1e-3, atol=1e-4)


def test_objects_that_appear_and_are_removed():
    network, frames = remn(trained=True), torch.rand(5, 3, 64, 96)
    propagator = Propagator(network, EveryN(interval=2))
    propagator.step(frames[0], block(at=4))
    propagator.step(frames[1])
    assert propagator.step(frames[2], 2 * block(at=36)).shape[0] == 3
    assert propagator.step(frames[3]).shape[0] == 3
    propagator.remove(1)
    assert propagator.step(frames[4]).isfinite().all()


def test_a_similar_object_far_away_is_distinguished():
    """Two cells have the object's key: only the near one reads the object's value."""
    network = remn(LocalAttention(locality=8.0, radius=1, max_radius=1))
    masks = torch.zeros(1, 1, 8, 10)
    masks[..., 1:3, 1:3] = 1
    key = torch.zeros(1, 8, 8, 10)
    key[:, 0] = 5 * masks[:, 0]
    memory = Memory(torch.cat([key, masks], dim=1)[:, :, None], masks[:, :, None])
    query_key = key.clone()
    query_key[:, 0, 5:7, 7:9] = 5
    query = Query(query_key, *torch.zeros(4, 1, 1, 8, 10), network.local_attention.far(Prior(masks)))
    found = network.read(query, memory)[0, 0]
    assert found[1:3, 1:3].min() > 0.98 and found[5:7, 7:9].max() < 0.4
    network.set_local_attention(LocalAttention())
    plain = Memory(memory.key[:, :-1], memory.value)
    assert network.read(query, plain)[0, 0][5:7, 7:9].min() > 0.98


def test_gradient_reaches_the_filters():
    network = remn(trained=True).train()
    frames = torch.randint(0, 256, (1, 3, 3, 64, 96), dtype=torch.uint8)
    unroll(network, Clip(frames, block()[None, None].expand(1, 3, -1, -1), torch.tensor([1]))).logits[
        :, :, 1
    ].mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.modulation.parameters())


def test_an_engine_replaces_local_attention_in_its_copy():
    frames, mask = torch.rand(4, 3, 64, 96), block()
    network = remn(trained=True)
    ready = Engine(torch.device("cpu"), local_attention=LocalAttention()).ready(network)
    assert network.local_attention == BOTH and not ready.local_attention.on
    plain = remn(LocalAttention())
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("modulation")})
    torch.testing.assert_close(
        probabilities(ready, frames, mask), probabilities(plain, frames, mask), rtol=0, atol=1e-4
    )
    kept = Engine(torch.device("cpu")).ready(network)
    torch.testing.assert_close(
        probabilities(kept, frames, mask), probabilities(network, frames, mask), rtol=0, atol=1e-4
    )


def test_a_network_without_filters_is_refused():
    with pytest.raises(InputError, match="local_attention=matching"):
        remn(LocalAttention()).set_local_attention(BOTH)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"strength": 1.0}, "strength"),
        ({"locality": -1.0}, "locality"),
        ({"radius": 7}, "max_radius"),
        ({"radius": -1}, "radius"),
    ],
)
def test_impossible_settings(options, named):
    with pytest.raises(InputError, match=named):
        dataclasses.replace(BOTH, **options)
