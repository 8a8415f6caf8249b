"""A training step waits for the device in listed places only."""

import pytest
import torch

from tests.waits import DEVICE, on_meta
from vosmem.networks import STM
from vosmem.shapes import Clip
from vosmem.training.gating import unroll_gated
from vosmem.training.losses import BootstrappedCrossEntropy, ClipCrossEntropy, WithOverlap, matching_loss
from vosmem.training.modules import PretrainModule
from vosmem.training.unroll import unroll


def moved(device, frames=3):
    """Two clips of two and one objects, as a module moves them."""
    clip = Clip(
        torch.randint(0, 256, (2, frames, 3, 32, 48), dtype=torch.uint8),
        torch.randint(0, 2, (2, frames, 32, 48), dtype=torch.uint8),
        torch.tensor([2, 1]),
    )
    return PretrainModule.transfer_batch_to_device(None, clip, device, 0)


LOSSES = [ClipCrossEntropy(), WithOverlap(BootstrappedCrossEntropy(0.5, 0, 10), 0.5)]


@pytest.mark.parametrize("loss", LOSSES, ids=["cross entropy", "bootstrapped with overlap"])
@pytest.mark.parametrize("recompute", [False, True])
def test_forward_and_backward_wait_for_nothing(small_network, loss, recompute, monkeypatch):
    network = on_meta(small_network.train(), monkeypatch)
    clip = moved(DEVICE)
    assert clip.num_objects.device.type == "cpu" and clip.frames.device == DEVICE
    logits, carried, expected = unroll(network, clip, recompute=recompute)
    total = loss(logits, clip.labels[:, 1:], 5) + matching_loss(carried, expected, 2)
    total.backward()
    assert total.device == DEVICE and network.trunks()[0].conv1.weight.grad.device == DEVICE


@pytest.mark.filterwarnings("ignore")
def test_the_backward_pass_asks_for_no_number(small_network):
    """Gradients of PyTorch that read a number of the device take another way on meta tensors."""
    clip = moved(torch.device("cpu"))
    logits, carried, expected = unroll(small_network.train(), clip)
    total = LOSSES[1](logits, clip.labels[:, 1:], 5) + matching_loss(carried, expected, 2)
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        total.backward()
    names = {event.name for event in profile.function_events}
    assert any("Conv" in name for name in names) and not names & {"aten::item", "aten::nonzero", "aten::unique"}


def test_the_gate_waits_for_nothing(monkeypatch):
    widths = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8}
    network = on_meta(STM(backbone="resnet18", **widths, weights="none", gate=True).train(), monkeypatch)
    assert unroll_gated(network, moved(DEVICE, frames=4), 0.5, 1).logits.device == DEVICE


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_training_step_does_not_synchronise_a_gpu():
    """The guard against infinite losses synchronises once a step, and the progress bar; neither is part of this."""
    widths = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8}
    network = STM(backbone="resnet18", **widths, weights="none").cuda().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    clip, loss = moved(torch.device("cuda")), ClipCrossEntropy()
    for step in range(3):
        torch.cuda.set_sync_debug_mode("error" if step else "default")  # libraries prepare themselves in the first
        try:
            with torch.autocast("cuda", torch.bfloat16):
                loss(unroll(network, clip).logits, clip.labels[:, 1:], 0).backward()
            optimizer.step()
            optimizer.zero_grad()
        finally:
            torch.cuda.set_sync_debug_mode("default")
