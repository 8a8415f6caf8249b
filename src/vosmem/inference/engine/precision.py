"""Number formats of inference, and the devices that compute in them at full speed."""

import torch

from vosmem.errors import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 is native on a device. Emulated bfloat16 is several times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older torch
        # Processors other than x86 have other names; they stay at float32 until one was measured.
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False


def has_fast_float16(device: torch.device) -> bool:
    """Return whether a device has units for products of float16, as GPUs of NVIDIA have since Volta (V100, T4)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def precision_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of `fp32`, `bf16` or `fp16`.

    Raises:
        InputError: the name is unknown, or the device is slower in it than in float32.
    """
    if precision not in DTYPES:
        raise InputError(f"precision={precision!r} is unknown: use {', '.join(DTYPES)}")
    if precision == "bf16" and not has_fast_bfloat16(device):
        raise InputError(f"precision=bf16 is only emulated on this {device.type}, slower than float32: use fp32")
    if precision == "fp16" and device.type == "cpu":
        raise InputError("precision=fp16 is many times slower than float32 on a CPU: use fp32 or bf16")
    return DTYPES[precision]


def in_precision(dtype: torch.dtype, device: torch.device) -> torch.autocast:
    """Return the context in which a network computes in a dtype; probabilities are merged in float32."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
