"""A trained network made ready to run."""

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
        device: where.
        precision: `fp32`, `bf16` or `fp16`.
        compile: whether trunks, heads and decoder are compiled.
        memory_read: how the memory is read.
        local_attention: how much it matters where objects were; None as the network was made.

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
        """Of convolutions and products."""
        return precision_dtype(self.precision, self.device)

    def ready(self, network: MemoryNetwork) -> MemoryNetwork:
        """A copy on the device that can be run and no longer trained; the network given stays as it is.

        Raises:
            InputError: the network was not trained for the local attention, or its `top_k` does not go with
                how the memory is to be read.
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
        """Where the copy has to be run: `with engine.context(): ...`."""
        return in_precision(self.dtype, self.device)
