"""The gate: how many frames stay, and a soft mask that is removal where it is sharp."""

import pytest
import torch

from vosmem.networks.gate import MemoryGate, log_mask
from vosmem.ops.attention import read_memory


def asked(batch=2, count=6):
    rng = torch.Generator().manual_seed(1)
    return [torch.rand(batch, count, generator=rng, dtype=torch.float64) for _ in range(3)]


def test_before_training_it_keeps_most():
    count = MemoryGate().double()(*asked(), 2)
    assert count.tolist() == pytest.approx([2 + 4 * torch.sigmoid(torch.tensor(2.0)).item()] * 2)


@pytest.mark.parametrize("num_fixed", [1, 2, 5])
def test_the_fixed_ones_are_never_counted_out(num_fixed):
    gate = MemoryGate().double()
    torch.nn.init.constant_(gate.stays.bias, -50)
    assert gate(*asked(), num_fixed).tolist() == pytest.approx([num_fixed] * 2)
    torch.nn.init.constant_(gate.stays.bias, 50)
    assert gate(*asked(), num_fixed).tolist() == pytest.approx([6] * 2)


def test_what_it_is_told_matters():
    gate = MemoryGate().double()
    torch.nn.init.normal_(gate.stays.weight)
    base = gate(*asked(), 2)
    for place in range(3):
        changed = asked()
        changed[place] = 1 - changed[place]
        assert not torch.allclose(gate(*changed, 2), base)


def test_novelty_counts_by_its_order_of_magnitude():
    """Ten times as new is the same step from wherever: most of it happens below 0.1."""
    gate = MemoryGate().double()
    with torch.no_grad():
        for weight in (gate.hidden.weight, gate.hidden.bias, gate.stays.weight):
            weight.zero_()
        gate.hidden.weight[0, 0], gate.hidden.bias[0], gate.stays.weight[0, 0] = 1.0, 3.0, 1.0
        told = [torch.full((1, 3), novelty, dtype=torch.float64) for novelty in (1e-3, 1e-2, 1e-1)]
        still = torch.zeros(1, 3, dtype=torch.float64)
        steps = torch.stack([torch.logit(gate(novelty, still, still, 2) - 2) for novelty in told]).diff(dim=0)
    assert steps.flatten().tolist() == pytest.approx([1, 1], abs=0.05)
    assert torch.isfinite(gate(still - 1e-6, still, still, 2)).all()  # a cosine may round to more than 1


@pytest.mark.parametrize("count", [2.0, 3.4, 3.6, 6.0])
def test_a_sharp_mask_is_removal_of_the_ranks_above_the_rounded_count(count):
    mask = log_mask(torch.tensor([count], dtype=torch.float64), 6, 2, 1e-3)[0].exp()
    assert mask.tolist() == pytest.approx([float(rank <= round(count)) for rank in range(1, 7)], abs=1e-9)


def test_the_fixed_ranks_are_left_whatever_the_temperature():
    assert log_mask(torch.tensor([2.0]), 6, 2, 5.0)[0, :2].tolist() == [0, 0]


def test_reading_through_a_sharp_mask_is_reading_without_the_frames():
    key, value, query = (torch.randn(1, 3, n, dtype=torch.float64) for n in (6, 6, 5))
    soft = log_mask(torch.tensor([4.2], dtype=torch.float64), 6, 2, 0.01)
    torch.testing.assert_close(
        read_memory(key, value, query, "l2", log_weights=soft),
        read_memory(key[..., :4], value[..., :4], query, "l2"),
    )


def test_gradients_of_the_whole_way():
    """From the gate's weights by the count and the soft mask to what is read, against differences."""
    gate = MemoryGate().double()
    torch.nn.init.normal_(gate.stays.weight)
    key, value, query = (torch.randn(1, 3, n, dtype=torch.float64) for n in (6, 6, 5))
    seen = asked(batch=1)

    def read(weight, bias):
        count = torch.func.functional_call(gate, {"stays.weight": weight, "stays.bias": bias}, (*seen, 2))
        return read_memory(key, value, query, "l2", log_weights=log_mask(count, 6, 2, 0.5)), count

    inputs = [p.detach().clone().requires_grad_() for p in (gate.stays.weight, gate.stays.bias)]
    assert torch.autograd.gradcheck(read, inputs)
