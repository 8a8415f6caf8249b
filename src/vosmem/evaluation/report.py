"""Results as JSON, CSV and a table for the terminal."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from vosmem.evaluation.run import SequenceRun
from vosmem.metrics.davis import ObjectScore, statistics, summarize
from vosmem.metrics.registry import score_names, with_averages

WARM_UP_FRAMES = 10
G_GROUPS = {"seen", "unseen"}


def results(runs: Mapping[str, SequenceRun], about: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the results of an evaluation as plain JSON values.

    Args:
        runs: by sequence.
        about: how they were made (checkpoint, policy, device, ...); stored as given.

    Returns:
        means over all objects as fractions (`J&F`, `J`, `F`, recall, decay; none where no frame has ground truth),
        means by group where the protocol has groups, scores by sequence and object, the masks used, `timing`, `memory`.
    """
    scores = [score for run in runs.values() for score in run.scores]
    scored = any(score.num_frames for score in scores)
    return {
        **(summarize(scores) if scored else {"num_objects": 0}),
        **_grouped(runs.values()),
        "sequences": {name: _sequence(run.scores) for name, run in runs.items()},
        "masks_used": {name: run.masks_used for name, run in runs.items()},
        "about": dict(about),
        "timing": _timing(runs.values()),
        "memory": _memory(list(runs.values())),
    }


def score_results(scores: Sequence[ObjectScore], about: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the results of predictions on disk: as `results`, without timing and memory."""
    by_sequence: dict[str, list[ObjectScore]] = defaultdict(list)
    for score in scores:
        by_sequence[score.sequence].append(score)
    return {
        **summarize(scores),
        "sequences": {name: _sequence(own) for name, own in by_sequence.items()},
        "about": dict(about),
    }


def write_results(outcome: Mapping[str, Any], json_path: Path) -> Path:
    """Write the JSON, and next to it a CSV with one row for each object; return the path of the CSV."""
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")
    rows = [
        {"sequence": name, "object": object_id, **values}
        for name, sequence in outcome["sequences"].items()
        for object_id, values in sequence["objects"].items()
    ]
    csv_path = json_path.with_suffix(".csv")
    pd.DataFrame(rows).to_csv(csv_path, index=False)
    return csv_path


def results_table(outcome: Mapping[str, Any], title: str) -> Table:
    """Percentages by sequence; the mean over all objects is the last row."""
    table = Table(title=title, show_footer=True)
    table.add_column("sequence", footer=f"mean of {outcome['num_objects']} objects")
    for name in score_names():
        table.add_column(name, footer=_percent(outcome.get(name)), justify="right")
    for name, sequence in outcome["sequences"].items():
        table.add_row(name, *(_percent(sequence.get(score)) for score in score_names()))
    for name, group in outcome.get("groups", {}).items():
        table.add_row(f"all {name}", *(_percent(group[score]) for score in score_names()), style="bold")
    if "G" in outcome:
        table.add_row("G", _percent(outcome["G"]), style="bold")
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _grouped(runs: Iterable[SequenceRun]) -> dict[str, Any]:
    """Means by group, and G, the mean of J and F of both groups of YouTube-VOS, where both are present.

    Source:
        Xu et al., YouTube-VOS (2018), section 5.
    """
    by_group: dict[str, list[ObjectScore]] = defaultdict(list)
    for run in runs:
        for score in run.scores:
            if str(score.object_id) in run.groups and score.num_frames:
                by_group[run.groups[str(score.object_id)]].append(score)
    groups = {name: {**_means(own), "num_objects": len(own)} for name, own in sorted(by_group.items())}
    if groups.keys() != G_GROUPS:
        return {"groups": groups} if groups else {}
    return {"groups": groups, "G": float(np.mean([[group["J"], group["F"]] for group in groups.values()]))}


def _sequence(scores: Sequence[ObjectScore]) -> dict[str, Any]:
    """Means over a sequence's objects, if a frame of it was evaluated, and the statistics of each object."""
    scored = [score for score in scores if score.num_frames]
    objects = {str(score.object_id): _object(score) for score in scored}
    return {**(_means(scored) if scored else {}), "objects": objects}


def _means(scores: Sequence[ObjectScore]) -> dict[str, float]:
    means = summarize(scores)
    return {name: means[name] for name in score_names()}


def _object(score: ObjectScore) -> dict[str, float]:
    own = {name: statistics(values) for name, values in score.values.items()}
    columns = {}
    for name, mean in with_averages({name: values.mean for name, values in own.items()}).items():
        columns[name] = mean
        if name in own:
            columns |= {f"{name}_recall": own[name].recall, f"{name}_decay": own[name].decay}
    return {**columns, "frames": score.num_frames}


def _memory(runs: Sequence[SequenceRun]) -> dict[str, float]:
    """Peak size of the memory, mean number of frames in it, and frames memorised of a hundred."""
    read = [count for run in runs for count in run.memory_frames]
    return {
        "peak_bank_mb": round(max(run.peak_memory_bytes for run in runs) / 2**20, 4),
        "mean_frames": round(float(np.mean(read)), 3) if read else 0.0,
        "kept_per_100": round(100 * sum(run.num_kept for run in runs) / sum(run.num_frames for run in runs), 3),
    }


def _timing(runs: Iterable[SequenceRun]) -> dict[str, float | int]:
    """Seconds inside the method only; the first frames of the whole evaluation are left out as warm-up."""
    seconds = np.array([value for run in runs for value in run.seconds])
    counted = seconds[WARM_UP_FRAMES:] if len(seconds) > WARM_UP_FRAMES else seconds
    if not len(counted):
        return {"frames": 0}
    return {
        "frames": len(counted),
        "warm_up_frames": len(seconds) - len(counted),
        "frames_per_second": round(float(1 / counted.mean()), 3),
        "median_ms": round(float(np.median(counted) * 1000), 2),
        "p95_ms": round(float(np.percentile(counted, 95) * 1000), 2),
    }
