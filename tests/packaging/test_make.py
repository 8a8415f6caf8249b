"""Contracts of the Makefile: it says what it offers, names what is missing, and installs once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLIC_TARGETS = {
    "setup",
    "pretrain",
    "test",
    "test-all",
    "lint",
    "types",
    "format",
    "wheel",
    "check",
    "clean",
}
OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS")
OTHER_PYTHON = "make test PYTHON=python3.12"
VENV_PACKAGE = "apt-get install python3-venv"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the repository as from a shell, also when a `make test` runs this test."""
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    environment["PIP_NO_INDEX"] = "1"  # should the Makefile be wrong, no test installs 6 GB
    command = ["make", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)


def executable(path: Path, *lines: str) -> Path:
    """Write a script that can be run."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def disguised_python(path: Path, disguise: str) -> Path:
    """A python that runs its `-c` code after the disguise, and can do nothing else."""
    code = ("import sys", disguise, "assert sys.argv[1] == '-c'", "exec(sys.argv[2])")
    return executable(path, f"#!{sys.executable}", *code)


def noting_python(path: Path, notes: Path) -> Path:
    """A python that notes its arguments, and does nothing unless they are `-c` code."""
    ask = f'[ "$1" != -c ] || exec {sys.executable} "$@"'
    return executable(path, "#!/bin/sh", f'echo "$*" >> {notes}', ask)


def stand_in_environment(folder: Path, pip_status: int) -> Path:
    """An environment whose python notes its arguments in the file `notes`, and exits as told."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    executable(folder / "bin" / "python", "#!/bin/sh", f'echo "$*" >> {folder}/notes', f"exit {pip_status}")
    for name in ("pip", "ruff"):
        executable(folder / "bin" / name, "#!/bin/sh")
    return folder


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_lists_every_public_target(arguments):
    listed = re.findall(r"^  ([a-z-]+) +\w", make(*arguments).stdout, flags=re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(listed) >= PUBLIC_TARGETS
    assert sorted(listed) == sorted(declared[1].split())


@pytest.mark.parametrize(
    ("disguise", "message", "mend"),
    [
        (
            "sys.version_info = (3, 9, 2, 'final', 0)",
            "needs Python 3.11 or newer; {} is 3.9.2.",
            OTHER_PYTHON,
        ),
        ("sys.exit(127)", "needs Python 3.11 or newer; {} does not run.", OTHER_PYTHON),
        ("sys.modules['ensurepip'] = None", "the venv module of {} is missing", VENV_PACKAGE),
        ("sys.modules['venv'] = None", "the venv module of {} is missing", VENV_PACKAGE),
    ],
    ids=["too old", "does not run", "no ensurepip", "no venv"],
)
def test_an_unfit_python_is_named_in_one_line(tmp_path, disguise, message, mend):
    python = disguised_python(tmp_path / "python3", disguise)
    done = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode != 0
    assert message.format(python) in line
    assert mend in line
    assert not (tmp_path / "venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path):
    keepsake = tmp_path / "thesis.txt"
    keepsake.touch()
    done = make("setup", f"VENV={tmp_path}", f"PYTHON={sys.executable}")
    assert done.returncode != 0
    assert "is no virtual environment" in done.stderr
    assert keepsake.exists()


def test_an_install_that_fails_leaves_no_stamp(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=1)
    assert make("setup", f"VENV={folder}", f"PYTHON={sys.executable}").returncode != 0
    assert "-m pip install" in (folder / "notes").read_text()
    assert not (folder / ".installed").exists()


def test_an_install_that_works_runs_once(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    for target in ("setup", "format", "setup"):
        assert make(target, f"VENV={folder}", f"PYTHON={sys.executable}").returncode == 0
    assert (folder / "notes").read_text().count("-m pip install") == 1


@pytest.mark.parametrize("broke_off", [True, False])
def test_only_an_environment_whose_install_broke_off_is_made_anew(tmp_path, broke_off):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    if broke_off:
        (folder / ".unfinished").touch()
    notes = tmp_path / "notes"
    make("setup", f"VENV={folder}", f"PYTHON={noting_python(tmp_path / 'python3', notes)}")
    assert (f"-m venv --clear {folder}" in notes.read_text()) == broke_off
