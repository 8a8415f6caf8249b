"""Tables as files, and the paper's tables with own scores."""

import pandas as pd
import pytest

from vosmem.errors import InputError
from vosmem.evaluation.paper import paper_tables
from vosmem.evaluation.tables import as_markdown, write_table
from vosmem.visualization.sweep import plot_sweep


def test_files(tmp_path):
    table = pd.DataFrame({"memory": ["first", None], "J": [81.44, 0.163], "ms a frame": [1234.5, None]})
    paths = write_table(table, tmp_path / "table.csv")
    assert paths[1].read_text() == as_markdown(table)
    assert as_markdown(table).splitlines()[2:] == ["| first | 81.4 | 1234 |", "| - | 0.16 | - |"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), table)
    for varied in (["J"], ["memory"]):
        assert plot_sweep(table.dropna(), varied, tmp_path / "plots" / f"{varied[0]}.png").stat().st_size > 3000


def test_what_was_set_is_not_rounded():
    """A threshold of the table can be used in a command."""
    table = pd.DataFrame({"memory.threshold": [0.1875, None], "J": [0.1875, 81.4321]})
    rows = as_markdown(table, ["memory.threshold"]).splitlines()[2:]
    assert rows == ["| 0.1875 | 0.19 |", "| - | 81.4 |"]


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
            ("table2: {a: {J: [1, 2]}}", "use one number"),
        ],
    )
    def test_unfit_files_are_named(self, tmp_path, content, named):
        path = tmp_path / "ours.yaml"
        path.write_text(content)
        with pytest.raises(InputError, match=named):
            paper_tables(path)
