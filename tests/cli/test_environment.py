"""What the command sets for itself, and that the library sets nothing."""

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


def test_importing_the_library_sets_nothing():
    assert shown("vosmem, vosmem.inference, vosmem.cli.environment") == "None"


def test_the_command_does_and_the_user_wins():
    call = "vosmem.cli.environment.prepare(keep_freed=False);"
    assert shown("vosmem.cli.environment", call) == "1"
    assert shown("vosmem.cli.environment", call, THP_MEM_ALLOC_ENABLE="0") == "0"


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted on Linux")
def test_memory_that_is_freed_is_asked_for_without_page_faults_where_that_is_wanted():
    """Eight times 64 MB: without keeping them every page is faulted in anew."""
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
def test_only_commands_that_end_with_their_work_keep_memory(command, keeps, monkeypatch):
    """A page serves for weeks; loader processes that are forked from a training would each keep what they freed."""
    asked = []
    monkeypatch.setattr(environment, "prepare", lambda **options: asked.append(options))
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(run=lambda arguments: None))
    monkeypatch.setattr(sys, "argv", ["vosmem", command])
    main()
    assert asked == [{"keep_freed": keeps}]
