"""One table from run folders."""

import json

import pytest
import yaml

from vosmem.commands.sweeps import collect_sweep
from vosmem.errors import InputError


def write_job(folder, overrides, **outcome):
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    for name, content in outcome.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def evaluated(j, ms):
    return {"J&F": j, "J": j, "F": j, "timing": {"median_ms": ms}, "memory": {"peak_bank_mb": 1.5}}


def test_jobs_of_an_evaluation(tmp_path):
    for job, interval in enumerate((1, 2, 10)):
        overrides = [f"memory.interval={interval}", "sweep=interval", "+x=1"]
        write_job(tmp_path / str(job), overrides, results=evaluated(0.5 + job / 10, 100.0 * job))
    write_job(tmp_path / "3", ["memory.interval=20"])  # did not come to its end
    table, varied = collect_sweep(tmp_path)
    assert varied == ["memory.interval"] and list(table["memory.interval"]) == [1, 2, 10]
    assert table["J"].tolist() == pytest.approx([50, 60, 70]) and table["ms a frame"].tolist() == [0, 100, 200]
    assert list(table.columns) == ["memory.interval", "J&F", "J", "F", "ms a frame", "memory MB"]


def test_jobs_of_a_training_in_natural_order(tmp_path):
    for job in (2, 10, 0):
        scores = {"before training": 0.1, "after training": job / 100}
        write_job(tmp_path / str(job), [f"seed={job}", f"loss=kind{job % 2}"], scores=scores)
    table, varied = collect_sweep(tmp_path)
    assert varied == ["seed"] and list(table["after training"]) == [0, 2, 10]


def test_a_lone_run_is_named_by_its_folder(tmp_path):
    write_job(tmp_path / "only", ["seed=1"], results=evaluated(0.5, 1.0))
    assert collect_sweep(tmp_path)[1] == ["job"]


def test_nothing_to_collect(tmp_path):
    with pytest.raises(InputError, match="no finished run"):
        collect_sweep(tmp_path)


def test_a_damaged_result_is_named(tmp_path):
    write_job(tmp_path / "0", [])
    (tmp_path / "0" / "results.json").write_text("{")
    with pytest.raises(InputError, match=r"0/results.json"):
        collect_sweep(tmp_path)


def test_values_are_what_hydra_reads(tmp_path):
    """1e-4 is a number, which YAML takes for a word, and *x a word, which YAML does not take at all."""
    for job, rate in enumerate(("1e-4", "3e-4")):
        overrides = [f"optimizer.lr={rate}", "names=[*x]", "~logger.csv", f"++name='run {job}'"]
        write_job(tmp_path / str(job), overrides, scores={"after training": 0.5})
    table, varied = collect_sweep(tmp_path)
    assert varied == ["optimizer.lr", "name"]
    assert table["optimizer.lr"].tolist() == [1e-4, 3e-4] and table["name"].tolist() == ["run 0", "run 1"]
