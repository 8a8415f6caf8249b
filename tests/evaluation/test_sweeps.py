"""Tables from run folders, and the paper's beside own scores."""

import json

import pandas as pd
import pytest
import yaml

from vosmem.errors import InputError
from vosmem.evaluation.paper import paper_tables
from vosmem.evaluation.sweeps import as_markdown, collect_sweep, write_table
from vosmem.visualization.sweep import plot_sweep


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


def test_files(tmp_path):
    table = pd.DataFrame({"memory": ["first", None], "J": [81.44, 0.163], "ms a frame": [1234.5, None]})
    paths = write_table(table, tmp_path / "table.csv")
    assert paths[1].read_text() == as_markdown(table)
    assert as_markdown(table).splitlines()[2:] == ["| first | 81.4 | 1234 |", "| - | 0.16 | - |"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), table)
    for varied in (["J"], ["memory"]):
        assert plot_sweep(table.dropna(), varied, tmp_path / "plots" / f"{varied[0]}.png").stat().st_size > 3000


class TestPaperTables:
    def test_without_own_scores_it_says_so(self):
        text = paper_tables()
        assert text.count("## Table") == 5 and text.count("| **vosmem** | not run |") == 5
        assert "| STM (+YV) | 88.7 | 89.9 | 0.16 |" in text

    def test_own_scores_stand_after_the_papers(self, tmp_path):
        path = tmp_path / "ours.yaml"
        path.write_text("table2: {stm_small: {J: 65.5, s a frame: 0.59}}\n")
        text = paper_tables(path)
        assert "| **stm_small** | 65.5 | - | 0.59 |" in text
        assert text.count("| **vosmem** | not run |") == 4

    @pytest.mark.parametrize(
        ("content", "named"),
        [
            ("table9: {}", "'table9'"),
            ("table2: {a: {J&F: 1}}", "'J&F'; use J, F"),
            ("table2: 5", "a row's name"),
            ("table2: {J: 5}", "a row's name"),
            ("- 1", "hold no tables"),
            ("{", "cannot be read"),
        ],
    )
    def test_unfit_files_are_named(self, tmp_path, content, named):
        path = tmp_path / "ours.yaml"
        path.write_text(content)
        with pytest.raises(InputError, match=named):
            paper_tables(path)
