"""Configuration to objects: the only place that knows Hydra and OmegaConf."""

from vosmem.build.common import load_network

__all__ = ["load_network"]
