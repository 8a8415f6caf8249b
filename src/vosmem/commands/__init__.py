"""Configuration to objects: the only place that knows Hydra and OmegaConf."""

from vosmem.checkpoints.loading import load_network
from vosmem.commands.common import compose, make

__all__ = ["compose", "load_network", "make"]
