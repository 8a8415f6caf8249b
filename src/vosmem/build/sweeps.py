"""One table from the folders that a multirun leaves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
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


def write_table(table: pd.DataFrame, path: Path) -> list[Path]:
    """Write a table as CSV and as Markdown beside it; returns both paths."""
    markdown = path.with_suffix(".md")
    table.to_csv(path, index=False)
    markdown.write_text(as_markdown(table))
    return [path, markdown]


def as_markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, numbers to three digits or two below one; what is missing is a dash.

    Example:
        >>> print(as_markdown(pd.DataFrame({"memory": ["first"], "J": [81.43]})))
        | memory | J |
        |---|---|
        | first | 81.4 |
    """
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    text = ["|" + "|".join(line) + "|" if line[0] == "---" else "| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(text) + "\n"


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
    """A job's overrides by key, values as YAML reads them."""
    pairs = (override.lstrip("+~").partition("=") for override in yaml.safe_load(path.read_text()) or [])
    return {key: yaml.safe_load(value) if value else None for key, _, value in pairs}


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, float):
        small, large = abs(value) < 1, abs(value) >= 1000
        return f"{value:.2g}" if small else f"{value:.0f}" if large else f"{value:#.3g}".rstrip(".")
    return str(value)
