"""What the command sets for itself, and that the library sets nothing."""

import os
import subprocess
import sys

import pytest

SHOW = "import os, {module}; print(os.environ.get('THP_MEM_ALLOC_ENABLE'))"


def shown(module: str, call: str = "", **environment: str) -> str:
    code = SHOW.format(module=module).replace("; print", f"; {call} print" if call else "; print")
    clean = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    done = subprocess.run([sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_library_sets_nothing():
    assert shown("vosmem, vosmem.inference, vosmem.cli.environment") == "None"


def test_the_command_does_and_the_user_wins():
    call = "vosmem.cli.environment.prepare();"
    assert shown("vosmem.cli.environment", call) == "1"
    assert shown("vosmem.cli.environment", call, THP_MEM_ALLOC_ENABLE="0") == "0"


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted on Linux")
def test_memory_that_is_freed_is_asked_for_without_page_faults():
    """Eight times 64 MB: without keeping them every page is faulted in anew."""
    code = """
import resource, sys
if sys.argv[1] == "prepared":
    from vosmem.cli.environment import prepare
    prepare()
import numpy as np
def touch():
    np.empty(2**26, np.uint8)[::4096] = 1
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    plain, prepared = (
        int(subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True).stdout)
        for name in ("plain", "prepared")
    )
    assert prepared < plain / 10
