"""Configuration to objects: the only place that knows Hydra and OmegaConf."""

from vosmem.commands.common import compose, make
from vosmem.checkpoints.loading import load_network

__all__ = ["compose", "load_network", "make"]
