"""One table from the folders that a multirun leaves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from natsort import natsorted

from vosmem.commands.hydra_internals import parse_overrides
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
SEEDS = ("memory.seed", "seed")  # of random eviction, of training: jobs that differ in it only are draws of one row
RANGED = ("J&F", "G", "after training")
PERCENT = ("J&F", "J", "F", "G", "before training", "first mask copied", "after training")


def collect_sweep(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """A line for each job that came to its end: what it changed, and what came out.

    Jobs that differ in `memory.seed` or `seed` only share a line: their mean, and the least and the greatest J&F (or
    G). A sweep over nothing but `seed` has a line for each.

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
    # `sweep` names a file of further overrides, which stand beside it.
    varied = [key for key in changed.columns[1:] if key != "sweep" and changed[key].astype(str).nunique() > 1]
    table = pd.concat([changed[varied or ["job"]], scores], axis=1)
    for seed in SEEDS:
        if seed in varied and (seed != "seed" or len(varied) > 1):
            return _over_seeds(table, seed, [key for key in varied if key != seed], list(scores.columns))
    return table, varied or ["job"]


def _over_seeds(table: pd.DataFrame, seed: str, others: list[str], scores: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Average the rows that differ only in their seed; jobs with and without a seed are not averaged together."""
    alike = [table[key].astype(str) for key in others] + [table[seed].isna()]
    lines = []
    for _, draws in table.groupby(alike, sort=False):
        line = {key: draws[key].iloc[0] for key in others}
        line[seed] = None if draws[seed].isna().all() else ", ".join(map(str, sorted(draws[seed].astype(int))))
        line |= draws[scores].mean().to_dict()
        for score in (score for score in RANGED if score in scores and len(draws) > 1):
            line |= {f"{score} least": draws[score].min(), f"{score} greatest": draws[score].max()}
        lines.append(line)
    return pd.DataFrame(lines), others or [seed]


def _outcome(job: Path) -> dict[str, float]:
    """What a job left behind: the results of an evaluation or the scores of a training, by column."""
    found: dict[str, float] = {}
    for name in ("results.json", "scores.json"):
        if (job / name).is_file():
            try:
                content = json.loads((job / name).read_text(encoding="utf-8"))
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
    return parse_overrides(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
