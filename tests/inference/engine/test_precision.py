"""Precisions, and the devices that compute in them at full speed."""

from contextlib import nullcontext

import pytest
import torch

from vosmem.commands.training import check_devices, trainer_precision
from vosmem.errors import InputError
from vosmem.inference.engine.precision import has_fast_bfloat16, in_precision, precision_dtype


@pytest.mark.parametrize(("able", "expected"), [({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")])
def test_bfloat16_is_fast_only_if_native(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert has_fast_bfloat16(torch.device("cpu")) == (expected == "bf16-mixed")
    assert trainer_precision("auto", "cpu") == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((8, 0), "bf16-mixed"), ((7, 5), "16-mixed"), ((7, 0), "16-mixed"), ((6, 1), "32-true")],
)
def test_a_gpu_trains_in_the_precision_that_it_has_units_for(monkeypatch, capability, expected):
    """PyTorch emulates bfloat16 before Ampere."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device=None: capability)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: capability >= (8, 0))
    assert trainer_precision("auto", "gpu") == expected


@pytest.mark.parametrize(
    ("accelerator", "devices", "present", "message"),
    [
        ("gpu", 1, 0, "sees no GPU"),
        ("gpu", "auto", 0, "sees no GPU"),
        ("gpu", 8, 1, r"trainer\.devices=8 .* \(1\): .*--gpus-per-node"),
        ("gpu", "auto", 1, None),
        ("cpu", 2, 0, None),
    ],
)
def test_a_trainer_for_more_gpus_than_there_are_is_refused(monkeypatch, accelerator, devices, present, message):
    monkeypatch.setattr("torch.cuda.device_count", lambda: present)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(InputError, match=message) if message else nullcontext():
        check_devices(accelerator, devices)


def test_a_named_trainer_precision_is_kept():
    assert trainer_precision("64-true", "cpu") == "64-true"


def test_an_unknown_device_stays_at_float32():
    assert not has_fast_bfloat16(torch.device("meta"))


CPU = torch.device("cpu")


@pytest.mark.parametrize(("precision", "message"), [("fp16", "slower than float32 on a CPU"), ("int3", "is unknown")])
def test_an_unknown_or_slow_precision_is_refused(precision, message):
    with pytest.raises(InputError, match=message):
        precision_dtype(precision, CPU)


def test_emulated_bfloat16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert precision_dtype("bf16", CPU) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    with pytest.raises(InputError, match="only emulated"):
        precision_dtype("bf16", CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_context_computes_in_the_dtype(dtype):
    with in_precision(dtype, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
