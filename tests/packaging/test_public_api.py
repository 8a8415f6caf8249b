"""What docs/reference/api.md calls public exists, is typed for strict users, and is deprecated before it is removed."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

import vosmem

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "api.md").read_text()
LINES = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", PAGE, re.MULTILINE)
ROWS = {module: set(re.findall(r"`(\w+)`", names)) for module, names in LINES}
PROGRAM = """
import numpy as np

import vosmem
from vosmem.checkpoints import load_reference_stm
from vosmem.errors import InputError
from vosmem.inference import make_propagator
from vosmem.networks import REMN, STM

segmenter = vosmem.load("remn_small", device="cpu")
stream = segmenter.stream()
found = stream.step(np.zeros((32, 48, 3), np.uint8), np.ones((32, 48), np.uint8))
shape: tuple[int, ...] = tuple(found.ids.shape)
reveal_type(segmenter)
reveal_type(found.objects)
"""
MESSAGE = re.compile(r"use .+; removed in (\d+\.\d+)")


@pytest.mark.parametrize("module", sorted(set(ROWS) - {"vosmem", "vosmem.errors"}))
def test_listed_names_are_those_that_a_module_exports(module):
    imported = importlib.import_module(module)
    assert ROWS[module] == set(imported.__all__)
    assert all(hasattr(imported, name) for name in imported.__all__)


def test_the_package_exports_what_is_listed():
    assert set(vosmem.__all__) <= ROWS["vosmem"]
    assert ROWS["vosmem.errors"] == {"InputError"}


@pytest.mark.slow
def test_a_strictly_typed_program_may_use_it(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"]
    path = {**os.environ, "MYPYPATH": str(REPOSITORY / "src")}  # mypy does not follow an editable installation
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Revealed type is "vosmem.inference.sequences.streaming.Segmenter"' in done.stdout
    assert 'Revealed type is "tuple[int, ...]"' in done.stdout


def overdue(source: str, version: str) -> list[str]:
    """The messages of `@deprecated` in a source whose form is wrong or whose removal is due."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "deprecated":
            message = str(ast.literal_eval(node.args[0]))
            form = MESSAGE.fullmatch(message)
            if form is None or Version(form[1]) <= Version(version):
                found.append(message)
    return found


def test_deprecated_names_say_what_to_use_and_go_in_time():
    sources = (REPOSITORY / "src" / "vosmem").rglob("*.py")
    assert not [message for path in sources for message in overdue(path.read_text(), vosmem.__version__)]


def test_the_check_of_deprecations_finds_a_vague_message_and_one_that_is_due():
    source = "@deprecated({!r})\ndef old(): ..."
    assert not overdue(source.format("use new; removed in 1.3"), "1.2.0")
    assert overdue(source.format("use new; removed in 1.3"), "1.3.0")
    assert overdue(source.format("old"), "1.2.0")
