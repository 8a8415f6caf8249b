"""Configuration to objects: the only place that knows Hydra and OmegaConf."""

from vosmem.build.common import compose, load_network, make

__all__ = ["compose", "load_network", "make"]
