"""The command sets variables for its own process; the library sets none."""

import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from vosmem.cli import environment
from vosmem.cli.__main__ import main

SHOW = "import os, {module}; print(os.environ.get('THP_MEM_ALLOC_ENABLE'))"


def shown(module: str, call: str = "", **variables: str) -> str:
    code = SHOW.format(module=module).replace("; print", f"; {call} print" if call else "; print")
    clean = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    done = subprocess.run([sys.executable, "-c", code], env={**clean, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_library_changes_no_environment_variable():
    assert shown("vosmem, vosmem.inference, vosmem.cli.environment") == "None"


def test_command_sets_variables_that_the_user_has_not_set():
    call = "vosmem.cli.environment.prepare(keep_freed=False);"
    assert shown("vosmem.cli.environment", call) == "1"
    assert shown("vosmem.cli.environment", call, THP_MEM_ALLOC_ENABLE="0") == "0"


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted on Linux")
def test_freed_memory_is_reused_without_page_faults_where_requested():
    """Allocate 64 MB eight times: freed pages that are not kept cause page faults again."""
    code = """
import resource, sys
if sys.argv[1] != "plain":
    from vosmem.cli.environment import prepare
    prepare(keep_freed=sys.argv[1] == "kept")
import numpy as np
def touch():
    np.empty(2**26, np.uint8)[::4096] = 1
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    plain, given_back, kept = (
        int(subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True).stdout)
        for name in ("plain", "given back", "kept")
    )
    assert kept < plain / 10 and given_back > plain / 2


@pytest.mark.parametrize(
    ("command", "keeps"), [("segment", True), ("evaluate", True), ("app", False), ("train", False)]
)
def test_only_short_lived_commands_keep_freed_memory(command, keeps, monkeypatch):
    """The page serves for weeks, and each loader process of a training would keep the memory that it freed."""
    asked = []
    monkeypatch.setattr(environment, "prepare", lambda **options: asked.append(options))
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(run=lambda arguments: None))
    monkeypatch.setattr(sys, "argv", ["vosmem", command])
    main()
    assert asked == [{"keep_freed": keeps}]
