"""One table from the folders that a multirun leaves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from natsort import natsorted

from vosmem.errors import InputError

# Columns of an evaluation, and where they stand in its results.json.
EVALUATED = {
    "J&F": ("J&F",),
    "J": ("J",),
    "F": ("F",),
    "G": ("G",),
    "ms a frame": ("timing", "median_ms"),
    "memory MB": ("memory", "peak_bank_mb"),
    "frames in memory": ("memory", "mean_frames"),
    "kept of 100": ("memory", "kept_per_100"),
}
PERCENT = ("J&F", "J", "F", "G", "before training", "first mask copied", "after training")


def collect_sweep(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """A line for each job that came to its end: what it changed, and what came out.

    Args:
        folder: of a multirun of `vosmem train` or `vosmem evaluate`, or any folder that holds run folders.

    Returns:
        the table, scores in percent, and the names of its columns that tell the jobs apart.

    Raises:
        InputError: no job below the folder left a result.
    """
    jobs = {path.parent.parent: path for path in folder.rglob(".hydra/overrides.yaml")}
    changes, outcomes = [], []
    for job in natsorted(jobs):
        outcome = _outcome(job)
        if outcome:
            changes.append({"job": str(job.relative_to(folder)), **_overrides(jobs[job])})
            outcomes.append(outcome)
    if not outcomes:
        raise InputError(f"{str(folder)!r} holds no finished run: give the folder of a multirun, or one of run folders")
    changed, scores = pd.DataFrame(changes), pd.DataFrame(outcomes)
    varied = [key for key in changed.columns[1:] if changed[key].astype(str).nunique() > 1]
    return pd.concat([changed[varied or ["job"]], scores], axis=1), varied or ["job"]


def _outcome(job: Path) -> dict[str, float]:
    """What a job left behind: the results of an evaluation or the scores of a training, by column."""
    found: dict[str, float] = {}
    for name in ("results.json", "scores.json"):
        if (job / name).is_file():
            try:
                content = json.loads((job / name).read_text())
            except ValueError as error:
                raise InputError(f"{str(job / name)!r} is damaged: delete it or run that job again") from error
            found = content if name == "scores.json" else _picked(content)
            break
    return {key: 100 * value if key in PERCENT else value for key, value in found.items()}


def _picked(results: Mapping[str, Any]) -> dict[str, float]:
    columns = {}
    for column, keys in EVALUATED.items():
        value: Any = results
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            columns[column] = float(value)
    return columns


def _overrides(path: Path) -> dict[str, Any]:
    """A job's overrides by key, values as Hydra reads them."""
    overrides = OverridesParser.create().parse_overrides(yaml.safe_load(path.read_text()) or [])
    return {override.key_or_group: override.value() for override in overrides}
