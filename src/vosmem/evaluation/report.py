"""Results as JSON, CSV and a table for the terminal."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from vosmem.evaluation.run import SequenceRun
from vosmem.metrics.davis import ObjectScore, statistics, summarize

WARM_UP_FRAMES = 10
G_GROUPS = ("seen", "unseen")


def results(runs: Mapping[str, SequenceRun], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything worth keeping of an evaluation, as plain JSON values.

    Args:
        runs: what came out, by sequence.
        about: how it was made (checkpoint, policy, device, ...); stored as it is.

    Returns:
        means over all objects as fractions (`J&F`, `J`, `F`, recall, decay; none where no frame has ground truth),
        those by group where the protocol has groups, then per sequence and object, the masks used, and `timing` and
        `memory` apart.
    """
    scores = [score for run in runs.values() for score in run.scores]
    return {
        **_summary(scores),
        **_grouped(runs.values()),
        "sequences": {name: {**_means(run.scores), "objects": _by_object(run.scores)} for name, run in runs.items()},
        "masks_used": {name: run.masks_used for name, run in runs.items()},
        "about": dict(about),
        "timing": _timing(runs.values()),
        "memory": _memory(list(runs.values())),
    }


def score_results(scores: Sequence[ObjectScore], about: Mapping[str, Any]) -> dict[str, Any]:
    """As `results`, for predictions that lie on disk: no timing and no memory."""
    by_sequence: dict[str, list[ObjectScore]] = {}
    for score in scores:
        by_sequence.setdefault(score.sequence, []).append(score)
    return {
        **summarize(scores),
        "sequences": {name: {**_means(own), "objects": _by_object(own)} for name, own in by_sequence.items()},
        "about": dict(about),
    }


def write_results(outcome: Mapping[str, Any], json_path: Path) -> Path:
    """Write the JSON, and beside it a CSV with a line an object; returns the CSV's path."""
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
    """Percentages by sequence, the mean over objects last."""
    table = Table(title=title, show_footer=True)
    table.add_column("sequence", footer=f"mean of {outcome['num_objects']} objects")
    for key in ("J&F", "J", "F"):
        table.add_column(key, footer=_percent(outcome.get(key)), justify="right")
    for name, sequence in outcome["sequences"].items():
        table.add_row(name, *(_percent(sequence.get(key)) for key in ("J&F", "J", "F")))
    for name, group in outcome.get("groups", {}).items():
        table.add_row(f"all {name}", *(_percent(group[key]) for key in ("J&F", "J", "F")), style="bold")
    if "G" in outcome:
        table.add_row("G", _percent(outcome["G"]), style="bold")
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _summary(scores: Sequence[ObjectScore]) -> dict[str, Any]:
    """`summarize`, or no more than that nothing was scored."""
    return summarize(scores) if any(len(score.j) for score in scores) else {"num_objects": 0}


def _grouped(runs: Iterable[SequenceRun]) -> dict[str, Any]:
    """Means by group, and where both of YouTube-VOS's are there G, the mean of their J and F.

    Source:
        Xu et al., YouTube-VOS (2018), section 5.
    """
    by_group: dict[str, list[ObjectScore]] = {}
    for run in runs:
        for score in run.scores:
            if str(score.object_id) in run.groups and len(score.j):
                by_group.setdefault(run.groups[str(score.object_id)], []).append(score)
    groups = {name: {**_means(own), "num_objects": len(own)} for name, own in sorted(by_group.items())}
    if groups.keys() != set(G_GROUPS):
        return {"groups": groups} if groups else {}
    return {"groups": groups, "G": float(np.mean([[group["J"], group["F"]] for group in groups.values()]))}


def _means(scores: Sequence[ObjectScore]) -> dict[str, float]:
    """Means over a sequence's objects; empty if no frame of it was evaluated."""
    if not any(len(score.j) for score in scores):
        return {}
    means = summarize(scores)
    return {key: means[key] for key in ("J&F", "J", "F")}


def _by_object(scores: Sequence[ObjectScore]) -> dict[str, dict[str, float]]:
    return {str(score.object_id): _object(score) for score in scores if len(score.j)}


def _object(score: ObjectScore) -> dict[str, float]:
    j, f = statistics(score.j), statistics(score.f)
    return {
        "J&F": (j.mean + f.mean) / 2,
        **{f"J{suffix}": value for suffix, value in zip(("", "_recall", "_decay"), j, strict=True)},
        **{f"F{suffix}": value for suffix, value in zip(("", "_recall", "_decay"), f, strict=True)},
        "frames": len(score.j),
    }


def _memory(runs: Sequence[SequenceRun]) -> dict[str, float]:
    """The most that was remembered; of how many frames on average, and how many of a hundred were taken in."""
    read = [count for run in runs for count in run.memory_frames]
    return {
        "peak_bank_mb": round(max(run.peak_memory_bytes for run in runs) / 2**20, 4),
        "mean_frames": round(float(np.mean(read)), 3) if read else 0.0,
        "kept_per_100": round(100 * sum(run.num_kept for run in runs) / sum(run.num_frames for run in runs), 3),
    }


def _timing(runs: Iterable[SequenceRun]) -> dict[str, float | int]:
    """Seconds inside the method alone, the first frames of the whole evaluation left out as warm-up."""
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
