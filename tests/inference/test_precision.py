"""Which devices compute in bfloat16."""

import pytest
import torch

from vosmem.build.training import trainer_precision
from vosmem.inference.precision import has_fast_bfloat16


@pytest.mark.parametrize(("able", "expected"), [({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")])
def test_auto_takes_bfloat16_only_where_it_is_native(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert has_fast_bfloat16(torch.device("cpu")) == (expected == "bf16-mixed")
    assert trainer_precision("auto", "cpu") == expected


def test_a_named_precision_stays():
    assert trainer_precision("64-true", "cpu") == "64-true"


def test_an_unknown_device_stays_at_float32():
    assert not has_fast_bfloat16(torch.device("meta"))
