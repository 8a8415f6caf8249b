"""Training on every device: losses and gradients are those of the CPU in float32."""

import copy

import pytest
import torch

from tests.devices.conftest import NETWORKS
from vosmem.inference.engine.precision import in_precision
from vosmem.shapes import Clip
from vosmem.training.calibration import Calibration, calibrate
from vosmem.training.gating import unroll_gated
from vosmem.training.losses import BootstrappedCrossEntropy, WithOverlap, divergence, matching_loss
from vosmem.training.modules import PretrainModule
from vosmem.training.perturbation import PriorPerturbation
from vosmem.training.unroll import unroll

CPU = torch.device("cpu")
SCALE = 2.0**10  # keeps gradients in the range of float16, as a scaler does
LOSS = WithOverlap(BootstrappedCrossEntropy(0.5, 0, 10), 0.5)


def clip(device, frames=3):
    """Two clips of two objects and of one, as a module moves them."""
    generator = torch.Generator().manual_seed(1)
    size = (2, frames, 3, 32, 48)
    images = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    labels = (torch.arange(48).expand(2, frames, 32, 48) // 16).to(torch.uint8)
    labels[1] = labels[1].clamp(max=1)
    return PretrainModule.transfer_batch_to_device(None, Clip(images, labels, torch.tensor([2, 1])), device, 0)


def step(network, device, dtype, perturb=None):
    """Loss and gradient norms by part of a training step."""
    network, batch = copy.deepcopy(network).train().to(device), clip(device)
    with in_precision(dtype, device):
        logits, carried, expected = unroll(network, batch, perturb=perturb)
        loss = LOSS(logits, batch.labels[:, 1:], 5) + matching_loss(carried, expected, 2)
    (SCALE * loss).backward()
    parts = {
        name: [p.grad.norm() for p in part.parameters() if p.grad is not None]
        for name, part in network.named_children()
    }
    return loss, torch.stack([torch.stack(norms).norm() for norms in parts.values() if norms]) / SCALE


def test_loss_and_gradients(network, setting):
    perturb = PriorPerturbation(probability=1.0) if network.modulates else None
    loss, gradients = step(network, setting.device, setting.dtype, perturb)
    expected_loss, expected = step(network, CPU, torch.float32, perturb)
    assert bool(loss.isfinite())
    setting.close(loss, expected_loss)
    setting.close(gradients / expected.max(), expected / expected.max(), factor=5)


def test_the_gate(gated, whole):
    losses = []
    for device in (whole.device, CPU):
        found = unroll_gated(copy.deepcopy(gated).train().to(device), clip(device, frames=4), 0.5, 1)
        losses.append(divergence(found.full, found.logits) + found.kept.mean())
    whole.close(*losses)


@pytest.mark.parametrize("taught", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_calibration(whole, taught):
    """Keys and memory head are calibrated on the device of the network, wherever the clips and the teacher are."""
    network, teacher = NETWORKS["stm"](), NETWORKS["stcn"]().eval() if taught else None
    found = []
    for device in (whole.device, CPU):
        own, what = copy.deepcopy(network).to(device), Calibration(1, 2.0, copy.deepcopy(teacher))
        calibrate(own, [clip(CPU)], what)
        found.append(torch.stack([conv.weight.norm() for conv in (own.query_head.key, own.memory_head.value)]))
    whole.close(*found, factor=100)  # a few cells hardly determine the head
