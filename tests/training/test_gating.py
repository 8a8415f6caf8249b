"""Training the gate: the rest is frozen, gradients reach the gate, and its inputs equal those of a memory bank."""

from functools import partial

import pytest
import torch

from vosmem.errors import InputError
from vosmem.memory.policy import EveryN
from vosmem.networks import REMN, STM, LocalAttention
from vosmem.networks.gate import MemoryGate
from vosmem.ops.locality import cells
from vosmem.ops.masks import one_hot
from vosmem.shapes import Clip, Memory, Prior
from vosmem.training.gating import GateModule, unroll_gated
from vosmem.training.losses import ClipCrossEntropy, divergence
from vosmem.training.modules import PretrainModule
from vosmem.training.perturbation import PriorPerturbation
from vosmem.training.schedules import LinearFall

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}


def network(kind="remn"):
    torch.manual_seed(0)
    if kind == "stm":
        return STM(backbone="resnet10", **WIDTHS, gate=True)
    attention = LocalAttention(strength=0.5, locality=2.0)
    return REMN(backbone="resnet10", **WIDTHS, value_weights="none", gate=True, local_attention=attention)


def clip(num_objects=(2, 1), frames=7, size=32):
    labels = torch.stack([torch.randint(0, k + 1, (frames, size, size), dtype=torch.uint8) for k in num_objects])
    images = torch.randint(0, 256, (len(num_objects), frames, 3, size, size), dtype=torch.uint8)
    return Clip(images, labels, torch.tensor(num_objects))


class Nothing(torch.nn.Module):
    """A loss that does not care."""

    def forward(self, logits, labels, step):
        return 0 * logits[:, :, 0].mean()


def module(taught, size_weight=0.02, consistency=1.0, loss=None, rate=1e-2, **others):
    return GateModule(
        network=taught,
        loss=ClipCrossEntropy() if loss is None else loss,
        optimizer=partial(torch.optim.Adam, lr=rate),
        scheduler=partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0),
        policy=EveryN(),
        temperature=LinearFall(1.0, 0.2, 10),
        size_weight=size_weight,
        consistency=consistency,
        num_queries=2,
        **others,
    )


@pytest.mark.parametrize("kind", ["stm", "remn"])
def test_shapes_and_independence_of_clips(kind):
    batch = clip()
    gated = unroll_gated(network(kind), batch, 0.5, 2)
    assert gated.logits.shape == gated.full.shape == (2, 2, 3, 32, 32) and gated.kept.shape == (2,)
    alone = unroll_gated(network(kind), Clip(*(part[1:] for part in batch)), 0.5, 2)
    torch.testing.assert_close(gated.logits[1:, :, :2], alone.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gated.kept[1:], alone.kept)


@pytest.mark.parametrize("kind", ["stm", "remn"])
def test_only_the_gate_learns(kind, monkeypatch):
    made = module(network(kind))
    torch.nn.init.normal_(made.network.gate.stays.weight)
    monkeypatch.setattr(made, "log", lambda *args, **options: None)
    made.training_step(clip(), 0).backward()
    taught = {name for name, p in made.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert taught == {f"gate.{name}" for name, _ in MemoryGate().named_parameters()}
    (group,) = made.configure_optimizers()["optimizer"].param_groups
    assert len(group["params"]) == 4


def test_size_weight_only_drops_all_frames_and_a_cold_mask_equals_a_short_memory(monkeypatch):
    made = module(network(), size_weight=1.0, consistency=0.0, loss=Nothing(), rate=0.1)
    monkeypatch.setattr(made, "log", lambda *args, **options: None)
    optimizer, batch = made.configure_optimizers()["optimizer"], clip((1,))
    for _ in range(30):
        optimizer.zero_grad()
        made.training_step(batch, 0).backward()
        optimizer.step()
    gated = unroll_gated(made.network, batch, 0.01, 2)
    assert gated.kept.max() < 2.5 / 5
    frames, masks = batch.frames.float() / 255, [one_hot(labels, 1) for labels in batch.labels.unbind(dim=1)]
    entries = [made.network.encode_memory(frames[:, t], masks[t]) for t in (0, 4)]
    memory = Memory(*(torch.cat(parts, dim=2) for parts in zip(*entries, strict=True)))
    query = made.network.encode_query(frames[:, 5], Prior(cells(masks[4])))
    torch.testing.assert_close(gated.logits[:, 0], made.network.segment(query, memory), rtol=1e-3, atol=1e-3)


def test_a_gate_that_keeps_all_equals_the_whole_memory(monkeypatch):
    made = network()
    torch.nn.init.constant_(made.gate.stays.bias, 60)
    monkeypatch.setattr("vosmem.training.gating.MARGIN", 0.0)  # with it the last of all has half its weight
    gated = unroll_gated(made, clip(), 0.05, 2)
    torch.testing.assert_close(gated.logits, gated.full, rtol=1e-3, atol=1e-3)
    assert gated.kept.tolist() == pytest.approx([1, 1]) and divergence(gated.full, gated.logits) < 1e-5


def test_divergence_against_the_formula_and_without_padded_slots():
    full, other = torch.randn(2, 1, 3, 4, 4, dtype=torch.float64), torch.randn(2, 1, 3, 4, 4, dtype=torch.float64)
    p, q = full.softmax(dim=2), other.softmax(dim=2)
    assert divergence(full, other).item() == pytest.approx((p * (p / q).log()).sum(dim=2).mean().item())
    padded = [torch.cat([x, torch.full_like(x[:, :, :1], -torch.inf)], dim=2).requires_grad_() for x in (full, other)]
    value = divergence(*padded)
    value.backward()
    torch.testing.assert_close(value, divergence(full, other))
    assert padded[1].grad.isfinite().all() and padded[0].grad is None


def test_clips_too_short_and_networks_without_a_gate():
    with pytest.raises(InputError, match="num_frames to 5"):
        unroll_gated(network(), clip(frames=4), 0.5, 2)
    with pytest.raises(InputError, match=r"model\.gate=true"):
        module(STM(backbone="resnet10", **WIDTHS))


def test_linear_schedule_needs_steps():
    with pytest.raises(InputError, match="1 or more"):
        LinearFall(1.0, 0.2, 0)


@pytest.mark.parametrize("option", [{"matching_weight": 1.0}, {"recompute": True}, {"perturb": PriorPerturbation()}])
def test_settings_of_other_phases_are_refused(option):
    with pytest.raises(InputError, match="have no effect in phase=gate"):
        module(network(), **option)


@pytest.mark.parametrize("kind", ["remn", "stm"])
def test_in_other_phases_all_other_parameters_learn(kind):
    """Processes that share a step wait for every gradient; a gate that is not asked has none."""
    settings = {
        "optimizer": partial(torch.optim.SGD, lr=1.0),
        "scheduler": torch.optim.lr_scheduler.ConstantLR,
        "policy": EveryN(interval=1),
    }
    other = PretrainModule(network=network(kind), loss=ClipCrossEntropy(), **settings)
    other.training_step(clip(frames=3), 0).backward()
    assert [name for name, p in other.named_parameters() if p.requires_grad and p.grad is None] == []
