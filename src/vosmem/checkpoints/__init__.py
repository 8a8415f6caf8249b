"""Files of weights: checkpoints of runs, weights files, the published layouts, and what comes with the package."""

from vosmem.checkpoints.published import load_reference_stm
from vosmem.checkpoints.published_stcn import load_reference_stcn

__all__ = ["load_reference_stcn", "load_reference_stm"]
