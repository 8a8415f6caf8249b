"""The gate: the number of frames that stay, and a soft mask that becomes eviction."""

import pytest
import torch

from vosmem.networks.gate import INITIAL_BIAS, MemoryGate, log_mask
from vosmem.ops.attention import read_memory
from vosmem.ops.novelty import rank
from vosmem.training.gating import MARGIN


def gate_inputs(batch=2, count=6):
    rng = torch.Generator().manual_seed(1)
    return [torch.rand(batch, count, generator=rng, dtype=torch.float64) for _ in range(3)]


def test_before_training_it_keeps_most():
    count = MemoryGate().double()(*gate_inputs(), 2)
    assert count.tolist() == pytest.approx([2 + 4 * torch.sigmoid(torch.tensor(INITIAL_BIAS)).item()] * 2)


@pytest.mark.parametrize("num_fixed", [1, 2, 5])
def test_fixed_frames_always_stay(num_fixed):
    gate = MemoryGate().double()
    torch.nn.init.constant_(gate.stays.bias, -50)
    assert gate(*gate_inputs(), num_fixed).tolist() == pytest.approx([num_fixed] * 2)
    torch.nn.init.constant_(gate.stays.bias, 50)
    assert gate(*gate_inputs(), num_fixed).tolist() == pytest.approx([6] * 2)


def test_every_input_matters():
    gate = MemoryGate().double()
    torch.nn.init.normal_(gate.stays.weight)
    base = gate(*gate_inputs(), 2)
    for index in range(3):
        changed = gate_inputs()
        changed[index] = 1 - changed[index]
        assert ((gate(*changed, 2) - base).abs() > 1e-4).all(), f"input {index} changes nothing"


def test_novelty_matters_by_its_order_of_magnitude():
    """A factor of ten in novelty is the same step anywhere: most frames lie below 0.1."""
    gate = MemoryGate().double()
    with torch.no_grad():
        for weight in (gate.hidden.weight, gate.hidden.bias, gate.stays.weight):
            weight.zero_()
        gate.hidden.weight[0, 0], gate.hidden.bias[0], gate.stays.weight[0, 0] = 1.0, 3.0, 1.0
        novelties = [torch.full((1, 3), novelty, dtype=torch.float64) for novelty in (1e-3, 1e-2, 1e-1)]
        constant = torch.zeros(1, 3, dtype=torch.float64)
        steps = torch.stack([torch.logit(gate(novelty, constant, constant, 2) - 2) for novelty in novelties]).diff(
            dim=0
        )
    assert steps.flatten().tolist() == pytest.approx([1, 1], abs=0.05)
    assert torch.isfinite(gate(constant - 1e-6, constant, constant, 2)).all()  # a cosine may round to more than 1


@pytest.mark.parametrize("count", [2.0, 3.4, 3.6, 6.0])
def test_a_sharp_mask_evicts_the_ranks_above_the_rounded_count(count):
    mask = log_mask(torch.tensor([count], dtype=torch.float64), 6, 2, 1e-3)[0].exp()
    assert mask.tolist() == pytest.approx([float(rank <= round(count)) for rank in range(1, 7)], abs=1e-9)


def test_fixed_ranks_are_unchanged_at_any_temperature():
    assert log_mask(torch.tensor([2.0]), 6, 2, 5.0)[0, :2].tolist() == [0, 0]


def test_a_read_through_a_sharp_mask_equals_a_read_without_the_frames():
    key, value, query = (torch.randn(1, 3, n, dtype=torch.float64) for n in (6, 6, 5))
    soft = log_mask(torch.tensor([4.2], dtype=torch.float64), 6, 2, 0.01)
    torch.testing.assert_close(
        read_memory(key, value, query, "l2", log_weights=soft),
        read_memory(key[..., :4], value[..., :4], query, "l2"),
    )


def test_gradients_against_finite_differences():
    """From the gate's weights through count and soft mask to the readout."""
    gate = MemoryGate().double()
    torch.nn.init.normal_(gate.stays.weight)
    key, value, query = (torch.randn(1, 3, n, dtype=torch.float64) for n in (6, 6, 5))
    seen = gate_inputs(batch=1)

    def read(weight, bias):
        count = torch.func.functional_call(gate, {"stays.weight": weight, "stays.bias": bias}, (*seen, 2))
        return read_memory(key, value, query, "l2", log_weights=log_mask(count, 6, 2, 0.5)), count

    inputs = [p.detach().clone().requires_grad_() for p in (gate.stays.weight, gate.stays.bias)]
    assert torch.autograd.gradcheck(read, inputs)


def toy(distinct, rng, batch=32, count=8, channels=16):
    """Memories of one-cell frames with `distinct` different contents, each with a query for one of them.

    Returns:
        keys of the frames (B, T, C), their values, and key and value of the query.
    """
    things = [torch.randn(batch, distinct, channels, generator=rng) for _ in range(2)]
    held = torch.cat([torch.arange(distinct), torch.randint(0, distinct, (count - distinct,), generator=rng)])
    held[2:] = held[2:][torch.randperm(count - 2, generator=rng)]  # the first two stay in any case, and differ
    keys, values = (part[:, held] for part in things)
    keys = keys + 0.02 * torch.randn(keys.shape, generator=rng)
    wanted = torch.randint(0, distinct, (batch,), generator=rng)
    return keys, values, *(part[torch.arange(batch), wanted] for part in things)


def gated_toy(gate, distinct, rng, temperature):
    """The error of a read through the soft mask, and the number of frames that stay."""
    keys, values, key, value = toy(distinct, rng)
    order, novelty = rank(torch.nn.functional.normalize(keys, dim=2), 2)
    constant = torch.zeros_like(novelty)
    count = gate(novelty, constant, constant, 2)
    keys, values = (part.gather(1, order[..., None].expand_as(part)).transpose(1, 2) for part in (keys, values))
    mask = log_mask(count - MARGIN, keys.shape[2], 2, temperature)
    found = read_memory(keys, values, key[..., None], "l2", log_weights=mask)[..., 0]
    return (found - value).square().mean(), count


def test_the_gate_learns_to_keep_one_frame_of_each_content():
    """Of eight frames with D distinct contents D stay, after training on memories of every D."""
    torch.manual_seed(0)
    gate, rng = MemoryGate(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(gate.parameters(), lr=3e-2)
    for step in range(400):
        error, count = gated_toy(gate, 2 + step % 6, rng, max(0.2, 1 - step / 300))
        optimizer.zero_grad()
        (error + 0.1 * count.mean() / 8).backward()
        optimizer.step()
    kept = [gated_toy(gate, distinct, rng, 0.2)[1].mean().item() for distinct in range(2, 9)]
    assert kept == pytest.approx(range(2, 9), abs=0.3)
