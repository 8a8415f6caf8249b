"""One table from the folders of a multirun."""

import json
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from natsort import natsorted

from vosmem.commands.hydra_internals import parse_overrides
from vosmem.errors import InputError
from vosmem.metrics.registry import score_names

# Columns of an evaluation other than its scores, and their keys in results.json.
EVALUATED = {
    "G": ("G",),
    "ms a frame": ("timing", "median_ms"),
    "memory MB": ("memory", "peak_bank_mb"),
    "frames in memory": ("memory", "mean_frames"),
    "kept of 100": ("memory", "kept_per_100"),
}
SEEDS = ("memory.seed", "seed")  # jobs that differ only in the seed of eviction or training are draws of one row
RANGED = ("J&F", "G", "after training")
PERCENT = ("G", "before training", "first mask copied", "after training")  # and the scores of an evaluation


def collect_sweep(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """One row for each finished job: its overrides and its results.

    Jobs that differ only in `memory.seed` or `seed` share a row, which holds their mean and the lowest and highest J&F
    (or G). A sweep over `seed` only has one row for each job.

    Args:
        folder: of a multirun of `vosmem train` or `vosmem evaluate`, or any folder that holds run folders.

    Returns:
        the table, scores in percent, and the names of the columns in which the jobs differ.

    Raises:
        InputError: no job below the folder left a result.
    """
    jobs = {path.parent.parent: path for path in folder.rglob(".hydra/overrides.yaml")}
    changes, outcomes = [], []
    for job in natsorted(jobs):
        outcome = _outcome(job)
        if outcome:
            overrides = parse_overrides(yaml.safe_load(jobs[job].read_text(encoding="utf-8")) or [])
            changes.append({"job": str(job.relative_to(folder)), **overrides})
            outcomes.append(outcome)
    if not outcomes:
        raise InputError(f"{str(folder)!r} holds no finished run: give the folder of a multirun, or one of run folders")
    changed, scores = pd.DataFrame(changes), pd.DataFrame(outcomes)
    # `sweep` names a file of further overrides, which have columns of their own.
    varied = [key for key in changed.columns[1:] if key != "sweep" and changed[key].astype(str).nunique() > 1]
    table = pd.concat([changed[varied or ["job"]], scores], axis=1)
    for seed in SEEDS:
        if seed in varied and (seed != "seed" or len(varied) > 1):
            return _over_seeds(table, seed, [key for key in varied if key != seed], list(scores.columns))
    return table, varied or ["job"]


def _over_seeds(table: pd.DataFrame, seed: str, others: list[str], scores: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Average the rows that differ only in their seed; jobs with and without a seed are not averaged together."""
    groups = [table[key].astype(str) for key in others] + [table[seed].isna()]
    rows = []
    for _, draws in table.groupby(groups, sort=False):
        row = {key: draws[key].iloc[0] for key in others}
        row[seed] = None if draws[seed].isna().all() else ", ".join(map(str, sorted(draws[seed].astype(int))))
        row |= draws[scores].mean().to_dict()
        for score in (score for score in RANGED if score in scores and len(draws) > 1):
            row |= {f"{score} least": draws[score].min(), f"{score} greatest": draws[score].max()}
        rows.append(row)
    return pd.DataFrame(rows), others or [seed]


def _outcome(job: Path) -> dict[str, float]:
    """By column, the results of an evaluation or the scores of a training; empty where the job left neither."""
    path = next((job / name for name in ("results.json", "scores.json") if (job / name).is_file()), None)
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{str(path)!r} is damaged: delete it or run that job again") from error
    found = content if path.name == "scores.json" else _evaluated(content)
    return {key: 100 * value if key in (*PERCENT, *score_names()) else value for key, value in found.items()}


def _evaluated(results: Mapping[str, Any]) -> dict[str, float]:
    keys = {**{name: (name,) for name in score_names()}, **EVALUATED}
    values = {column: reduce(lambda found, key: found.get(key, {}), path, results) for column, path in keys.items()}
    return {column: float(value) for column, value in values.items() if isinstance(value, (int, float))}
