"""Networks that are compiled for training: the same gradients, whatever the number of objects."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from vosmem.networks.compilation import compile_for_training
from vosmem.shapes import Clip
from vosmem.training.unroll import unroll


def gradients(network, num_objects, recompute):
    clip = Clip(
        torch.arange(2 * 2 * 3 * 32 * 32).view(2, 2, 3, 32, 32).mul(7).to(torch.uint8),
        torch.arange(32).expand(2, 2, 32, 32).div(11, rounding_mode="floor").clamp(max=num_objects).to(torch.uint8),
        torch.tensor([num_objects, 1]),
    )
    network.zero_grad()
    unroll(network, clip, recompute=recompute).logits[:, :, 1].sum().backward()
    return torch.stack([p.grad.norm() for p in network.parameters() if p.grad is not None])


@pytest.mark.slow
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_equal_and_objects_do_not_compile_again(small_remn, recompute, monkeypatch):
    torch._dynamo.reset()
    counter, compiled = CompileCounterWithBackend("aot_eager"), torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **options: compiled(function, backend=counter))
    plain, network = small_remn.train(), copy.deepcopy(small_remn).train()
    assert compile_for_training(network, torch.device("cpu"))
    counts = []
    for num_objects in (1, 2, 3, 2):
        found = gradients(network, num_objects, recompute)
        torch.testing.assert_close(found, gradients(plain, num_objects, recompute), rtol=1e-3, atol=1e-5)
        counts.append(counter.frame_count)
    assert counts[0] > 1 and counts[2] <= counts[1] + 2 and counts[3] == counts[2], counts
    with torch.no_grad():
        network.eval().encode_query(torch.rand(1, 3, 48, 64))
    assert counter.frame_count == counts[3], "validation runs uncompiled"
    assert network.state_dict().keys() == plain.state_dict().keys()
