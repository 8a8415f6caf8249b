"""Which number formats a device computes in at full speed."""

import torch


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is native on a device. Elsewhere it is emulated and several times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
        # Processors without these names (other than x86) have their own; they stay at float32 until one was measured.
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False
