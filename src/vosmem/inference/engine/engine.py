"""The engine: how a trained network is prepared for inference."""

from dataclasses import dataclass, field

import torch

from vosmem.inference.engine.precision import in_precision, precision_dtype
from vosmem.networks.compilation import compile_parts
from vosmem.networks.folding import fold_batch_norms, lower_convolutions
from vosmem.networks.local_attention import LocalAttention
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.attention import MemoryReadConfig


@dataclass(frozen=True)
class Engine:
    """How a network runs at inference.

    Args:
        device: device of the network.
        precision: `fp32`, `bf16` or `fp16`.
        compile: whether backbones, heads and decoder are compiled.
        memory_read: how the memory is read.
        local_attention: strength of local attention; None for the network's own.

    Raises:
        InputError: the precision is unknown, or slower than float32 on the device.
    """

    device: torch.device
    precision: str = "fp32"
    compile: bool = False
    memory_read: MemoryReadConfig = field(default_factory=MemoryReadConfig)
    local_attention: LocalAttention | None = None

    def __post_init__(self) -> None:
        precision_dtype(self.precision, self.device)

    @property
    def dtype(self) -> torch.dtype:
        """Type of convolutions and products."""
        return precision_dtype(self.precision, self.device)

    def ready(self, network: MemoryNetwork) -> MemoryNetwork:
        """Return a copy of the network for inference on the device; the copy cannot be trained.

        Raises:
            InputError: the network was not trained for the local attention, or its `top_k` cannot be combined with the
                method of the memory read.
        """
        copy = fold_batch_norms(network).to(self.device)
        copy.memory_read = self.memory_read.with_default(copy.conventions.top_k)
        if self.local_attention is not None:
            copy.set_local_attention(self.local_attention)
        if self.dtype != torch.float32:
            lower_convolutions(copy, self.dtype)
        if self.compile:
            compile_parts(copy, self.device)
        return copy

    def context(self) -> torch.autocast:
        """Return the context in which the copy has to run: `with engine.context(): ...`."""
        return in_precision(self.dtype, self.device)
