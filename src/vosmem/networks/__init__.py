"""Networks: `nn.Module`s with plain keyword constructors, independent of files, configs and epochs."""

from vosmem.networks.conventions import Conventions
from vosmem.networks.folding import fold_batch_norms
from vosmem.networks.local_attention import LocalAttention
from vosmem.networks.network import MemoryNetwork
from vosmem.networks.remn import REMN
from vosmem.networks.stm import STM

__all__ = ["REMN", "STM", "Conventions", "LocalAttention", "MemoryNetwork", "fold_batch_norms"]
