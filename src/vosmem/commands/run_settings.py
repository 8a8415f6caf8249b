"""The settings that the results of `vosmem segment` depend on, for their record."""

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vosmem.checkpoints.reading import file_hash
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.memory.policy import MemoryPolicy


def run_settings(
    options: Namespace, policy: MemoryPolicy, given: MemoryPolicy, weights: Path, segmenter: Segmenter
) -> dict[str, Any]:
    """Collect the settings of network, memory and inference; options that were not given have the network's values.

    `given` is the policy before it got default limits. Its budget is what two runs have in common, since the default
    one depends on the machine.
    """
    engine, network = segmenter.engine, segmenter.network
    conventions = network.conventions
    memory = asdict(policy)
    if "include_last" in memory and memory["include_last"] is None:
        memory["include_last"] = conventions.include_last
    if given.budget_mb != policy.budget_mb:
        memory["budget_mb"] = "automatic"
    return {
        "network": {
            "class": type(network).__name__,
            "sha256": file_hash(weights),
            "conventions": asdict(conventions),
        },
        "memory": {"policy": options.memory, **memory},
        "inference": {
            "short_side": (conventions.short_side if options.size is None else options.size) or None,
            "enlarge_to": conventions.enlarged(options.size) or None,
            "frames": None if options.frames is None else str(options.frames),
            "flip": options.flip,
            "zoom": conventions.zoom if options.zoom is None else options.zoom,
            "top_k": network.memory_read.top_k or None,
            "precision": engine.precision,
            "device": str(engine.device),
        },
    }
