"""Notebooks run from top to bottom, and each is what its script says."""

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9]*.py"))
QUICK = {"01_what_a_clip_looks_like"}  # the others calibrate a network
TO_RUN = [pytest.param(path, marks=[] if path.stem in QUICK else pytest.mark.slow, id=path.stem) for path in SCRIPTS]


def cells(notebook) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_there_are_some():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_pair_is_in_step_and_has_no_outputs(script):
    paired = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert cells(paired) == cells(jupytext.read(script)), "run: make notebooks"
    assert not any(cell.get("outputs") for cell in paired.cells)


@pytest.mark.parametrize("script", TO_RUN)
def test_it_runs(script, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))  # for figures.py, since it runs in another folder
    notebook = jupytext.read(script)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert any("image/png" in output["data"] for output in shown), "a notebook shows something"
