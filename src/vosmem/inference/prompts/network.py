"""The network that makes first masks: it was trained on rough masks, which networks that follow objects copy."""

from functools import lru_cache

import torch

from vosmem.checkpoints.loading import load_network
from vosmem.inference.engine.engine import Engine
from vosmem.networks.network import MemoryNetwork

NAME = "remn_prompts"  # of the bundled weights


@lru_cache(maxsize=1)
def prompt_network(device: torch.device, precision: str) -> MemoryNetwork:
    """Load the network, ready on a device and in a precision, as of `Engine`."""
    return Engine(device, precision).ready(load_network(NAME))
