"""The table of a sweep from its run folders."""

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


def test_table_has_a_row_for_each_evaluation_job(tmp_path):
    for job, interval in enumerate((1, 2, 10)):
        overrides = [f"memory.interval={interval}", "sweep=interval", "+x=1"]
        write_job(tmp_path / str(job), overrides, results=evaluated(0.5 + job / 10, 100.0 * job))
    write_job(tmp_path / "3", ["memory.interval=20"])  # did not come to its end
    table, varied = collect_sweep(tmp_path)
    assert varied == ["memory.interval"] and list(table["memory.interval"]) == [1, 2, 10]
    assert table["J"].tolist() == pytest.approx([50, 60, 70]) and table["ms a frame"].tolist() == [0, 100, 200]
    assert list(table.columns) == ["memory.interval", "J&F", "J", "F", "ms a frame", "memory MB"]


def test_training_jobs_are_in_natural_order(tmp_path):
    for job in (2, 10, 0):
        scores = {"before training": 0.1, "after training": job / 100}
        write_job(tmp_path / str(job), [f"seed={job}", f"loss=kind{job % 2}"], scores=scores)
    table, varied = collect_sweep(tmp_path)
    assert varied == ["seed"] and list(table["after training"]) == [0, 2, 10]


def test_single_run_is_named_by_its_folder(tmp_path):
    write_job(tmp_path / "only", ["seed=1"], results=evaluated(0.5, 1.0))
    assert collect_sweep(tmp_path)[1] == ["job"]


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="no finished run"):
        collect_sweep(tmp_path)


def test_damaged_result_is_named(tmp_path):
    write_job(tmp_path / "0", [])
    (tmp_path / "0" / "results.json").write_text("{")
    with pytest.raises(InputError, match=r"0/results.json"):
        collect_sweep(tmp_path)


def test_values_are_parsed_as_hydra_parses_them(tmp_path):
    """1e-4 is a number that YAML reads as a string, and *x a string that YAML cannot read."""
    for job, rate in enumerate(("1e-4", "3e-4")):
        overrides = [f"optimizer.lr={rate}", "names=[*x]", "~logger.csv", f"++name='run {job}'"]
        write_job(tmp_path / str(job), overrides, scores={"after training": 0.5})
    table, varied = collect_sweep(tmp_path)
    assert varied == ["optimizer.lr", "name"]
    assert table["optimizer.lr"].tolist() == [1e-4, 3e-4] and table["name"].tolist() == ["run 0", "run 1"]


def test_seeds_of_random_eviction_share_a_row(tmp_path):
    """Next to rows without a seed, as `vosmem report sweep` joins them: mean, and range of J&F."""
    for job, choice in enumerate(("all", "oldest")):
        write_job(tmp_path / "a" / str(job), ["sweep=eviction", f"eviction={choice}"], results=evaluated(0.5, 9.0))
    for seed, j in enumerate((0.6, 0.7, 0.65)):
        overrides = ["sweep=random_eviction", "eviction=random", f"memory.seed={seed}"]
        write_job(tmp_path / "b" / str(seed), overrides, results=evaluated(j, 10.0 * seed))
    table, varied = collect_sweep(tmp_path)
    assert varied == ["eviction"] and table["eviction"].tolist() == ["all", "oldest", "random"]
    drawn = table.iloc[2]
    assert drawn["memory.seed"] == "0, 1, 2" and table["memory.seed"].isna().tolist() == [True, True, False]
    assert (drawn["J&F"], drawn["J&F least"], drawn["J&F greatest"]) == pytest.approx((65, 60, 70))
    assert drawn["ms a frame"] == pytest.approx(10) and table["J&F least"].isna().tolist() == [True, True, False]


def test_seeds_without_other_settings_are_one_row(tmp_path):
    for seed in (10, 9):
        write_job(tmp_path / str(seed), ["eviction=random", f"memory.seed={seed}"], results=evaluated(seed / 20, 1.0))
    table, varied = collect_sweep(tmp_path)
    assert varied == ["memory.seed"] and table["memory.seed"].tolist() == ["9, 10"]
    assert table[["J&F", "J&F least", "J&F greatest"]].to_numpy().tolist() == [pytest.approx([47.5, 45, 50])]


def test_rows_differ_in_all_other_settings(tmp_path):
    for job, (most, seed) in enumerate([(4, 0), (4, 1), (6, 0), (6, 1)]):
        write_job(tmp_path / str(job), [f"max_frames={most}", f"memory.seed={seed}"], results=evaluated(most / 10, 1.0))
    table, varied = collect_sweep(tmp_path)
    assert varied == ["max_frames"] and table["J&F"].tolist() == pytest.approx([40, 60])


def test_seeds_of_a_training_share_a_row(tmp_path):
    for job, (frames, seed, score) in enumerate([(2, 0, 0.3), (2, 1, 0.4), (3, 0, 0.5), (3, 1, 0.52)]):
        scores = {"first mask copied": 0.2, "after training": score}
        write_job(tmp_path / str(job), [f"augmentation.num_frames={frames}", f"seed={seed}"], scores=scores)
    table, varied = collect_sweep(tmp_path)
    assert varied == ["augmentation.num_frames"] and table["seed"].tolist() == ["0, 1", "0, 1"]
    assert table["after training"].tolist() == pytest.approx([35, 51])
    assert table["after training least"].tolist() == pytest.approx([30, 50])
    assert table["after training greatest"].tolist() == pytest.approx([40, 52])
