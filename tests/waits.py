"""A stand-in for a GPU: meta tensors, which raise wherever the CPU would wait for a number of the device."""

from contextlib import nullcontext

import pytest
import torch

DEVICE = torch.device("meta")


def on_meta(network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """Move a network there; PyTorch has no autocast for this device."""
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: nullcontext())
    return network.to(DEVICE)
