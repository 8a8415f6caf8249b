"""Soft aggregation: independent object probabilities become one distribution over background and objects."""

from functools import reduce

import torch
from jaxtyping import Bool, Float
from torch import Tensor

EPSILON = 1e-7  # the published clamp; below float16's and bfloat16's resolution next to 1


def soft_aggregate(
    probs: Float[Tensor, "B K *S"], valid: Bool[Tensor, "B K"] | None = None
) -> Float[Tensor, "B K1 *S"]:
    """Merge the foreground probabilities of K objects into logits over background and objects.

    With `p_0 = prod_m (1 - p_m)`, the logit of slot m is `log(p_m / (1 - p_m))`, clamped at 1e-7; a softmax over the
    slots gives the merged probabilities. The function is differentiable and used in training and inference.

    Args:
        probs: probability in [0, 1] of each object against all else. Half types are raised to float32, since
            1 - 1e-7 rounds to 1 in them and the logit would be infinite; float64 is kept.
        valid: False marks padded slots. They do not affect the background, and their logit is -inf.

    Returns:
        logits; slot 0 is background.

    Source:
        STM section 3.5 (soft aggregation), after RGMP.

    Example:
        >>> merged = soft_aggregate(torch.tensor([[0.7]])).softmax(dim=1)
        >>> round(float(merged[0, 1]), 4)
        0.8448
    """
    # An autocast region would lower the logarithm's input again, hence the explicit guard.
    with torch.autocast(probs.device.type, enabled=False):
        probs = probs.to(torch.promote_types(probs.dtype, torch.float32))
        if valid is not None:
            valid = valid.to(probs.device, non_blocking=True)
            valid = valid.reshape(*valid.shape, *(1,) * (probs.ndim - 2))
            probs = torch.where(valid, probs, torch.zeros_like(probs))
        background = _product(1 - probs)
        merged = torch.cat([background, probs], dim=1).clamp(EPSILON, 1 - EPSILON)
        logits = torch.log(merged) - torch.log1p(-merged)
        if valid is not None:
            everywhere = torch.ones_like(valid[:, :1])
            logits = logits.masked_fill(~torch.cat([everywhere, valid], dim=1), float("-inf"))
        return logits


def _product(x: Float[Tensor, "B K *S"]) -> Float[Tensor, "B 1 *S"]:
    """Multiply along the objects. The gradient of `torch.prod` waits for the device, to know whether a factor is 0."""
    return reduce(torch.mul, x.split(1, dim=1)) if x.requires_grad else x.prod(dim=1, keepdim=True)
