"""Precisions, and the devices that compute in them at full speed."""

import pytest
import torch

from vosmem.commands.training import trainer_precision
from vosmem.errors import InputError
from vosmem.inference.engine.precision import has_fast_bfloat16, in_precision, precision_dtype


@pytest.mark.parametrize(("able", "expected"), [({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")])
def test_bfloat16_is_fast_only_if_native(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert has_fast_bfloat16(torch.device("cpu")) == (expected == "bf16-mixed")
    assert trainer_precision("auto", "cpu") == expected


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
