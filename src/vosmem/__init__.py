"""vosmem: semi-supervised video object segmentation with memory networks (STM)."""

from importlib.metadata import version

__version__ = version("vosmem")
