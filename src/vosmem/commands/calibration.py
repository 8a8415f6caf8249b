"""`vosmem calibrate` from its configuration."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from vosmem.checkpoints.loading import load_network
from vosmem.commands.common import make, make_engine
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.files import write_text
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.variation import variations_apart
from vosmem.memory.policy import Adaptive

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def calibrate_threshold(config: DictConfig, on_sequence: Callable[[str, int], None]) -> tuple[dict[str, Any], Path]:
    """Find the median variation of frames `interval` apart, with which an adaptive memory keeps about every such frame.

    `on_sequence` is called with the name of each video and its number of frame pairs. Returns the result and its file.

    Raises:
        InputError: checkpoint or videos cannot be used, the policy has no threshold, or no pair of frames has objects.
    """
    policy = make(config.memory)
    if not isinstance(policy, Adaptive):
        raise InputError("this memory policy has no threshold: calibrate memory=adaptive")
    if config.checkpoint is None:
        raise InputError(
            "no checkpoint is given: set checkpoint=FILE, since the threshold depends on the network's keys"
        )
    engine = make_engine(config)
    network = engine.ready(load_network(config.checkpoint))
    sizes = {"short_side": config.short_side, "enlarge_to": config.enlarge_to, "zoom": make(config.get("zoom"))}
    make_propagator = partial(Propagator, network, **sizes, whole_masks=True)
    sequences: Sequence[VideoSequence] = make(config.eval_set)
    found: list[float] = []
    with engine.context():
        for sequence in sequences:
            own = list(variations_apart(make_propagator, policy, sequence, config.interval, engine.device))
            found += own
            on_sequence(sequence.name, len(own))
    if not found:
        raise InputError(
            f"no two frames {config.interval} apart hold an object: use longer videos, or a lower interval"
        )
    outcome = {
        "threshold": round(float(np.median(found)), 4),
        "interval": config.interval,
        "pairs": len(found),
        "quantiles": {str(share): round(float(np.quantile(found, share)), 4) for share in QUANTILES},
        "checkpoint": str(config.checkpoint),
    }
    path = Path(config.paths.output_dir) / "threshold.json"
    write_text(path, json.dumps(outcome, indent=2) + "\n")
    return outcome, path
